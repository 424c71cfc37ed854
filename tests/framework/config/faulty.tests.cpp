// Every file of faulty/ is a study with faults; beside it stands, written by hand, what its reader must be told.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "framework/core/atomic_file.h"
#include "tests/framework/config/known.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

/// Lines "#! --set a.b=c" at the top of a file are the overrides it is read with.
std::vector<std::string> overrides_of(const std::string& text) {
  const std::string mark = "#! --set ";
  std::vector<std::string> overrides;
  for (const auto& line : lines_of(text)) {
    if (line.starts_with(mark)) overrides.push_back(line.substr(mark.size()));
  }
  return overrides;
}

std::vector<std::string> told(const fs::path& path) {
  const auto text = read_text_file(path);
  try {
    static_cast<void>(read_study(text, "study", overrides_of(text), tests::known()));
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return fault_lines(error);
  }
  return {"no fault was found"};
}

std::string listed(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += "  " + line + "\n";
  return text;
}

}  // namespace

TEST_CASE("every faulty study is refused with all its faults in file order", "[config][study]") {
  const fs::path folder = fs::path(ATELIER_SOURCE_DIR) / "tests/framework/config/faulty";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  CHECK(files.size() == 123);
  for (const auto& file : files) {
    auto expected_file = file;
    expected_file.replace_extension(".expected");
    const auto expected = lines_of(read_text_file(expected_file));
    const auto found = told(file);
    INFO(file.filename().string() << "\nfound:\n" << listed(found) << "expected:\n" << listed(expected));
    CHECK(found == expected);
  }
}
