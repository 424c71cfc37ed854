// DCO's files and reward guidance as diffusers has them (make_dco_references.py): three calls of the UNet there.
#include <catch2/catch.hpp>

#include "tests/parity/comparison.h"
#include "tests/parity/drawn.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kDco = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/dco";

std::vector<std::string> dco_command(const fs::path& out, const std::vector<std::string>& more) {
  std::vector<std::string> own{"--placeholder", "<x>"};
  own.insert(own.end(), more.begin(), more.end());
  return drawing_arguments({.model = models_folder() / "sdxl",
                            .prompt = "a {} on the moon, 1999",
                            .guidance = "7.5",
                            .scheduler = "euler",
                            .more = own},
                           out);
}

std::vector<std::string> rewarded(const std::string& scale) {
  return {"--base-prompt", "a man on the moon, 1999", "--reward-guidance", scale};
}

}  // namespace

TEST_CASE("The authors' files sample as in diffusers, and reward guidance at every scale as three calls",
          "[parity][sample][dco]") {
  const TemporaryFolder folder;
  const auto files = std::vector<std::string>{"--artifact", kDco / "pytorch_lora_weights.safetensors", "--artifact",
                                              kDco / "learned_embeds.safetensors"};
  std::map<std::string, std::vector<std::string>> samples{
      {"plain", {}}, {"reward_0", rewarded("0")}, {"reward_3", rewarded("3")}, {"reward_7.5", rewarded("7.5")}};
  for (auto& [name, more] : samples) {
    // The folder as a whole is DCO's; its files by themselves are a LoRA and a token.
    const auto& given = name == "reward_3" ? std::vector<std::string>{"--artifact", kDco} : files;
    more.insert(more.end(), given.begin(), given.end());
  }
  std::vector<std::vector<std::string>> commands;
  for (const auto& [name, more] : samples) {
    fs::create_directories(folder / name);
    commands.push_back(dco_command(folder / name, more));
  }
  const auto outcomes = run_atelier(commands);
  std::size_t i = 0;
  for (const auto& [name, more] : samples) {
    const auto& outcome = outcomes[i++];
    INFO(name << ": " << outcome.err);
    REQUIRE(outcome.status == 0);
    const auto found = tensor_in(folder.path() / name / "latents.safetensors");
    CHECK(deviation(found, tensor_in(kDco / "expected_latents.safetensors", name)) < 1e-4);
  }
}
