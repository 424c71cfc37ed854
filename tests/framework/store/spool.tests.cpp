#include <catch2/catch.hpp>
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/spool.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

struct SpoolContent {
  std::vector<Json> events;
  std::vector<std::pair<std::uint64_t, std::string>> damaged;
  std::uint64_t end = 0;
};

SpoolContent content_of(const fs::path& path, std::uint64_t offset = 0) {
  SpoolContent content;
  content.end = read_spool(
      path, offset, [&](const Json& event) { content.events.push_back(event); },
      [&](std::uint64_t at, const std::string& why) { content.damaged.emplace_back(at, why); });
  return content;
}

fs::path file_of(const Store& store, const Spool& spool) { return store.spool_folder() / (spool.name() + ".jsonl"); }

/// The text of a spool with the three events {"number": 0 … 2}.
std::string three_lines(const Store& store) {
  Spool spool(store);
  for (int i = 0; i < 3; ++i) spool.write({{"number", i}}, i == 2);
  return read_text_file(file_of(store, spool));
}

std::vector<int> numbers(const SpoolContent& content) {
  std::vector<int> found;
  for (const Json& event : content.events) found.push_back(event.at("number").get<int>());
  return found;
}

}  // namespace

TEST_CASE("A spool's events come back in order with their time, spool and number", "[store][spool]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Spool spool(store);
  spool.write({{"type", "event"}, {"text", "line\nbreak \xff"}});
  spool.write({{"type", "event"}, {"text", "second"}}, true);
  const auto content = content_of(file_of(store, spool));
  REQUIRE(content.events.size() == 2);
  CHECK(content.damaged.empty());
  CHECK(content.end == fs::file_size(file_of(store, spool)));
  CHECK(content.events[0]["text"] == "line\nbreak \xef\xbf\xbd");  // U+FFFD
  CHECK(content.events[1]["n"] == 1);
  CHECK(content.events[1]["spool"] == spool.name());
  CHECK_THAT(content.events[1]["at"].get<std::string>(), Catch::Matches(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"));
}

TEST_CASE("A spool is read on from where the last reading ended", "[store][spool]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Spool spool(store);
  spool.write({{"number", 0}});
  const auto first = content_of(file_of(store, spool));
  spool.write({{"number", 1}});
  const auto second = content_of(file_of(store, spool), first.end);
  CHECK(numbers(second) == std::vector<int>{1});
  CHECK(content_of(file_of(store, spool), second.end).events.empty());
}

TEST_CASE("A spool that was cut anywhere gives the whole lines before the cut", "[store][spool]") {
  const TemporaryFolder folder;
  const auto text = three_lines(Store::create_or_open(folder / "store"));
  std::size_t whole = 0;
  for (std::size_t length = 0; length < text.size(); ++length) {
    if (length > 0 && text[length - 1] == '\n') ++whole;
    write_file_atomically(folder / "cut", text.substr(0, length));
    const auto content = content_of(folder / "cut");
    REQUIRE(content.events.size() == whole);
    REQUIRE(content.damaged.empty());
    REQUIRE(content.end == (whole == 0 ? 0 : text.rfind('\n', length - 1) + 1));
  }
}

TEST_CASE("A torn line is kept apart from the lines that come after it", "[store][spool]") {
  const TemporaryFolder folder;
  const auto text = three_lines(Store::create_or_open(folder / "store"));
  const auto second = text.find('\n') + 1;
  write_file_atomically(folder / "torn", text.substr(0, second) + text.substr(second, 40) + "\n" + text.substr(second));
  const auto content = content_of(folder / "torn");
  CHECK(numbers(content) == std::vector<int>{0, 1, 2});
  REQUIRE(content.damaged.size() == 1);
  CHECK(content.damaged[0].first == second);
}

TEST_CASE("A changed byte anywhere in a spool's line costs that line alone and is told", "[store][spool]") {
  const TemporaryFolder folder;
  const auto text = three_lines(Store::create_or_open(folder / "store"));
  const auto start = text.find('\n') + 1;
  const auto end = text.find('\n', start);  // its newline left alone
  for (std::size_t at = start; at < end; ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file_atomically(folder / "changed", changed);
    const auto content = content_of(folder / "changed");
    CAPTURE(at - start);
    REQUIRE(numbers(content) == std::vector<int>{0, 2});
    REQUIRE(content.damaged.size() >= 1);
  }
}

TEST_CASE("A checked line holds its object and nothing else", "[store][spool]") {
  const auto line = checked_line({{"a", 1}});
  REQUIRE(line.back() == '\n');
  // printf '{"a":1}' | sha256sum | cut -c1-16
  CHECK(line == "{\"sum\":\"015abd7f5cc57a2d\",\"a\":1}\n");
  CHECK(parse_checked_line(line.substr(0, line.size() - 1), "here") == Json{{"a", 1}});
  CHECK(parse_checked_line(checked_line(Json::object()).substr(0, 26), "here") == Json::object());
  CHECK_THROWS_WITH(parse_checked_line("{\"a\":1}", "here"), Catch::Contains("without a checksum"));
  CHECK_THROWS_WITH(parse_checked_line("", "here"), Catch::Contains("without a checksum"));
}
