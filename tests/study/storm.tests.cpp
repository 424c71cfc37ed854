// Kills at random, of workers and of the command, and what is left when they are over.
//
// ATELIER_STORM_KILLS: how many (30); ATELIER_STORM_SEED: which ones (1). A long one: ATELIER_STORM_KILLS=500.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <set>

#include "framework/store/gc.h"
#include "framework/store/index.h"
#include "framework/store/verify.h"
#include "tests/study/started_command.h"
#include "tests/study/store_facts.h"
#include "tests/study/study_place.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

std::uint32_t number_in(const char* variable, std::uint32_t otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr || *value == '\0' ? otherwise : static_cast<std::uint32_t>(std::atoll(value));
}

/// Commands at one study, and their end.
class Storm {
 public:
  Storm(const StudyPlace& place, microseconds undisturbed, std::uint32_t seed)
      : place_(place), undisturbed_(undisturbed), random_(seed) {}

  /// One or two commands, with one to three workers each, until one kill has hit them. What survives of it is left to
  /// itself, or killed a little later, among the next round's commands.
  void round();
  void end() { commands_.clear(); }

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }
  [[nodiscard]] microseconds moment() { return undisturbed_ * below(1000) / 1000; }
  void kill_something(StartedCommand& command);

  const StudyPlace& place_;
  const microseconds undisturbed_;
  std::mt19937 random_;
  std::vector<std::unique_ptr<StartedCommand>> commands_;
};

void Storm::kill_something(StartedCommand& command) {
  const auto workers = command.children();
  switch (below(3)) {
    case 0:
      return command.kill_all();
    case 1:
      return command.kill();
    default:
      if (!workers.empty()) ::kill(workers[below(static_cast<std::uint32_t>(workers.size()))], SIGKILL);
  }
}

void Storm::round() {
  const std::uint32_t count = 1 + below(2);
  while (commands_.size() < count) {
    commands_.push_back(std::make_unique<StartedCommand>(std::vector<std::string>{
        "run", place_.study(), "--store", place_.store(), "--set", fmt::format("placement.slots={}", 1 + below(3))}));
  }
  static_cast<void>(commands_.front()->ended_within(moment()));
  kill_something(*commands_[below(static_cast<std::uint32_t>(commands_.size()))]);
  if (below(2) == 0) commands_.clear();  // those that live are killed: no process of this round sees the next
  std::erase_if(commands_, [](const auto& command) { return command->ended_within(microseconds(0)); });
}

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(entry.path().lexically_relative(folder).string());
  }
  return files;
}

/// What an index holds that does not depend on when and by whom the work was done.
std::vector<std::vector<Row>> results_in(const std::string& store) {
  Index index(Store::open(store));
  std::vector<std::vector<Row>> results;
  results.push_back(index.query("SELECT key, kind, object, description, divergent, losses, final_loss FROM artifact"));
  for (const char* table : {"image", "score", "scored_image", "pair_score", "text_score", "set_score", "anchor"}) {
    results.push_back(index.query(fmt::format("SELECT * FROM {}", table)));
  }
  return results;
}

void check_nothing_half_published(const std::string& store) {
  if (!fs::exists(fs::path(store) / "store.json")) return;
  for (const auto& damage : verify(Store::open(store))) FAIL(damage.place << ": " << damage.found);
}

void check_same_results(const StudyPlace& place, const StudyPlace& undisturbed) {
  const auto published = place.published();
  CHECK(published == undisturbed.published());
  const StoreFacts facts(place.store());
  for (const auto& [key, object] : published) {
    INFO(key);
    CHECK(facts.publications(key) <= 1);  // none where the process was killed before it could say so
  }
  CHECK(facts.divergences() == 0);
  CHECK(place.ask("table", {"--as", "csv"}).out == undisturbed.ask("table", {"--as", "csv"}).out);
  CHECK(results_in(place.store()) == results_in(undisturbed.store()));
}

void check_index_and_garbage(const StudyPlace& place, const StudyPlace& undisturbed) {
  const auto store = Store::open(place.store());
  Index index(store);
  CHECK(index.dump() == Index(store, place.folder() / "again.sqlite").dump());
  REQUIRE(run_atelier({"gc", "--store", place.store()}).status == 0);
  const fs::path root = place.store(), other = undisturbed.store();
  CHECK(files_in(root / "objects") == files_in(other / "objects"));
  for (const char* folder : {"tmp", "snapshots"}) {
    INFO(folder);
    CHECK(files_in(root / folder).empty());
  }
  check_nothing_half_published(place.store());
}

}  // namespace

TEST_CASE("Workers and commands killed at random moments leave what an undisturbed run leaves", "[study][storm]") {
  const std::string often = "snapshot: {every_steps: 1, every_seconds: 0}";
  const StudyPlace undisturbed(both_methods("1e-2"), often), place(both_methods("1e-2"), often);
  const auto start = Clock::now();
  REQUIRE(undisturbed.run().status == 0);
  const auto time = std::chrono::duration_cast<microseconds>(Clock::now() - start);

  const std::uint32_t seed = number_in("ATELIER_STORM_SEED", 1), kills = number_in("ATELIER_STORM_KILLS", 30);
  Storm storm(place, time, seed);
  for (std::uint32_t round = 0; round < kills; ++round) {
    INFO("seed " << seed << ", round " << round);
    storm.round();
    check_nothing_half_published(place.store());
  }
  storm.end();
  const auto last = place.run();  // waits for workers that outlived their command
  INFO("seed " << seed << '\n' << last.err);
  REQUIRE(last.status == 0);
  check_same_results(place, undisturbed);
  check_index_and_garbage(place, undisturbed);
}
