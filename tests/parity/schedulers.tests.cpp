// Scheduler walks over random predictions against diffusers (make_references.py).
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

constexpr double kWalkTolerance = 1e-5;

std::vector<fs::path> walks(const fs::path& folder, const std::string& name) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().string();
    if (file.ends_with(".out.safetensors") && case_of(file)["scheduler"] == name) found.push_back(file);
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> command(const std::string& family, const fs::path& expected, const fs::path& output) {
  const atelier::Json walk = case_of(expected);
  std::string input = expected.string();
  input.replace(input.rfind(".out."), 5, ".in.");
  std::vector<std::string> arguments{
      "probe", "scheduler", walk["scheduler"], "--model", models_folder() / family, "--steps", walk["steps"].dump(),
      "--in",  input,       "--out",           output};
  for (const auto& setting : walk["set"]) arguments.insert(arguments.end(), {"--set", setting});
  return arguments;
}

/// Every walk of this scheduler, for the three kinds of config: SD 1.5 (epsilon, no spacing named), SD 2.1
/// (v-prediction) and SDXL (epsilon, leading).
void check_scheduler(const std::string& name) {
  const TemporaryFolder outputs;
  std::vector<fs::path> expected;
  std::vector<std::vector<std::string>> commands;
  for (const std::string family : {"sd15", "sd21", "sdxl"}) {
    for (const auto& walk : walks(references_folder() / family / "schedulers", name)) {
      commands.push_back(command(family, walk, outputs / (family + walk.filename().string())));
      expected.push_back(walk);
    }
  }
  REQUIRE(expected.size() >= 5);
  const auto outcomes = run_atelier(commands);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(expected[i] << '\n' << outcomes[i].err);
    CHECK(outcomes[i].status == 0);
    CHECK(differences(commands[i][10], expected[i], kWalkTolerance) == "");
  }
}

}  // namespace

TEST_CASE("DDIM walks as in the reference, with each spacing and with zero terminal SNR", "[parity][scheduler]") {
  check_scheduler("ddim");
}
TEST_CASE("PNDM walks as in the reference and calls the model once more than there are steps", "[parity][scheduler]") {
  check_scheduler("pndm");
}
TEST_CASE("Euler walks as in the reference, with each spacing and Karras sigmas", "[parity][scheduler]") {
  check_scheduler("euler");
}
TEST_CASE("Euler ancestral walks as in the reference with given noise", "[parity][scheduler]") {
  check_scheduler("euler_ancestral");
}
TEST_CASE("DPM-Solver++ 2M walks as in the reference, with both final sigmas and both solver types",
          "[parity][scheduler]") {
  check_scheduler("dpmpp_2m");
}
TEST_CASE("DPM-Solver++ 2M with Karras sigmas walks as in the reference", "[parity][scheduler]") {
  check_scheduler("dpmpp_2m_karras");
}
TEST_CASE("UniPC walks as in the reference", "[parity][scheduler]") { check_scheduler("unipc"); }
TEST_CASE("LCM walks as in the reference with given noise", "[parity][scheduler]") { check_scheduler("lcm"); }
TEST_CASE("DDPM walks as in the reference with given noise", "[parity][scheduler]") { check_scheduler("ddpm"); }
