#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "tests/study/study_place.h"

namespace fs = std::filesystem;

namespace {

/// The plugins of the build and one with a fault, described as if it were sound.
class WithPlugin {
 public:
  explicit WithPlugin(const std::string& name) {
    const fs::path library = folder_ / (name + ".so");
    fs::copy_file(fs::path(ATELIER_FOREIGN_PLUGINS) / (name + ".so"), library);
    const std::string describe =
        fmt::format("'{}/bin/atelier-describe-plugin' '{}' '{}' >/dev/null 2>&1", ATELIER_BINARY_DIR, library.string(),
                    std::string(folder_ / (name + ".json")));
    described_ = std::system(describe.c_str()) == 0;
    ::setenv("ATELIER_PLUGINS", fs::path(folder_ / "").c_str(), 1);
  }
  ~WithPlugin() { ::unsetenv("ATELIER_PLUGINS"); }
  [[nodiscard]] bool described() const { return described_; }

 private:
  TemporaryFolder folder_;
  bool described_ = false;
};

std::string beside_a_sound_one(const std::string& method) {
  const std::string base = ATELIER_SOURCE_DIR "/experiments/demo/base";
  return fmt::format(R"(  textual_inversion:
    base: {0}
    options: {{resolution: 32, embedding: {{max_train_steps: 2, train_batch_size: 1}}}}
  {1}: {{base: {0}}})",
                     base, method);
}

void check_fails_alone(const std::string& plugin, const std::string& mention) {
  const WithPlugin installed(plugin);
  REQUIRE(installed.described());
  const StudyPlace place(beside_a_sound_one(plugin));
  const auto done = place.run();
  INFO(done.out << done.err);
  CHECK(done.status == 1);
  CHECK_THAT(done.err, Catch::Contains(mention));
  CHECK_THAT(done.out, Catch::Contains("1 failed"));
  CHECK_THAT(place.ask("table").out, Catch::Contains("textual_inversion"));
}

}  // namespace

TEST_CASE("A plugin that throws in attach fails its runs, and the others go on", "[study][foreign]") {
  check_fails_alone("foreign_throws_in_attach", "the idea does not work out");
}

TEST_CASE("A plugin that reads an undeclared option fails its runs, and the others go on", "[study][foreign]") {
  check_fails_alone("foreign_undeclared_option", "secret");
}

TEST_CASE("A plugin of another ABI is refused by name before anything starts, and the rest of the methods stay",
          "[study][foreign]") {
  const WithPlugin installed("foreign_wrong_api");
  CHECK_FALSE(installed.described());
  CHECK_THAT(run_atelier(std::vector<std::string>{"plugins"}).out, Catch::Contains("textual_inversion"));
  const StudyPlace place(beside_a_sound_one("foreign_wrong_api"));
  const auto refused = place.run();
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("foreign_wrong_api"));
}
