// Whole pictures against a plain loop over the reference's scheduler and UNet (make_references.py).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "framework/files/safetensors.h"
#include "framework/image/decode.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

constexpr double kTolerance = 1e-4;  // of the final latents

/// One thread a process, because two processes run at a time.
Command command(const std::string& family, const atelier::Json& sample, const fs::path& out) {
  Command arguments{"sample",
                    "--model",
                    models_folder() / family,
                    "--scheduler",
                    sample["scheduler"],
                    "--steps",
                    sample["steps"].dump(),
                    "--guidance",
                    sample["guidance"].dump(),
                    "--seed",
                    sample["seed"].dump(),
                    "-n",
                    sample["images"].dump(),
                    "--size",
                    sample["size"],
                    "--threads",
                    "1",
                    "--out",
                    out,
                    "--latents-out",
                    out.string() + ".safetensors"};
  if (sample.contains("changes")) {
    arguments.emplace_back("--set");
    for (const auto& [key, value] : sample["changes"].items()) {
      arguments.push_back(key + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
  if (!sample["negative"].is_null()) arguments.insert(arguments.end(), {"--negative", sample["negative"]});
  arguments.emplace_back("--prompt");
  for (const auto& prompt : sample["prompts"]) arguments.push_back(prompt);
  return arguments;
}

std::string latent_differences(const fs::path& actual, const fs::path& expected) {
  if (!fs::exists(actual)) return "no latents were written";
  const auto ours = atelier::read_safetensors(actual);
  const auto theirs = atelier::read_safetensors(expected);
  const auto& latents = theirs.tensors.at("latents");
  if (!ours.tensors.contains("latents")) return "no tensor 'latents'";
  if (ours.tensors.at("latents").shape != latents.shape) return "is " + describe(ours.tensors.at("latents"));
  const double error = deviation(values_of(ours.tensors.at("latents")), values_of(latents));
  return error <= kTolerance ? "" : "deviates by " + std::to_string(error);
}

void check_samples(const std::string& family, const std::vector<std::string>& labels) {
  const TemporaryFolder outputs;
  std::vector<Command> commands;
  const auto reference = [&](const std::string& label) {
    return references_folder() / family / ("sample_" + label + ".safetensors");
  };
  for (const auto& label : labels) commands.push_back(command(family, case_of(reference(label)), outputs / label));
  const auto outcomes = run_atelier(commands);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    INFO(family << ' ' << labels[i] << '\n' << outcomes[i].err);
    CHECK(outcomes[i].status == 0);
    CHECK(latent_differences(outputs / (labels[i] + ".safetensors"), reference(labels[i])) == "");
  }
}

std::vector<fs::path> pictures(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".png") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Two prompts, two images each. A level may round the other way, but rarely.
void check_pictures(const std::string& family) {
  const TemporaryFolder outputs;
  const auto reference = references_folder() / family / "sample_pictures.safetensors";
  const Outcome outcome = run_atelier(command(family, case_of(reference), outputs / "pictures"));
  INFO(family << '\n' << outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(latent_differences(outputs / "pictures.safetensors", reference) == "");
  const auto files = pictures(outputs / "pictures");
  REQUIRE(files.size() == 4);
  std::vector<double> ours;
  for (const auto& file : files) {
    const auto image = atelier::decode_file(file).image;
    REQUIRE(image.size() == atelier::Size{72, 56});
    ours.insert(ours.end(), image.pixels.begin(), image.pixels.end());
  }
  const auto theirs = values_of(atelier::read_safetensors(reference).tensors.at("image"));
  REQUIRE(ours.size() == theirs.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE(std::abs(ours[i] - theirs[i]) <= 1);
    different += ours[i] != theirs[i] ? 1 : 0;
  }
  CHECK(different * 500 < ours.size());
}

}  // namespace

TEST_CASE("SD 1.5 ends at the reference's latents after 50 steps of every scheduler", "[parity][sample]") {
  check_samples("sd15", {"ddim_50", "pndm_50", "euler_50", "euler_ancestral_50", "dpmpp_2m_50", "dpmpp_2m_karras_50",
                         "unipc_50", "lcm_50", "ddpm_50"});
}
TEST_CASE("SD 2.1 with v-prediction ends at the reference's latents with every scheduler", "[parity][sample]") {
  check_samples("sd21", {"ddim_50", "pndm_10", "euler_10", "euler_ancestral_50", "dpmpp_2m_50", "dpmpp_2m_karras_10",
                         "unipc_10", "lcm_10", "ddpm_10"});
}
TEST_CASE("SDXL ends at the reference's latents with every scheduler", "[parity][sample]") {
  check_samples("sdxl", {"ddim_10", "pndm_10", "euler_50", "euler_ancestral_10", "dpmpp_2m_10", "dpmpp_2m_karras_50",
                         "unipc_50", "lcm_10", "ddpm_10"});
}
TEST_CASE("Turbo's few steps without guidance, and SDXL that predicts the velocity down to no signal, end there too",
          "[parity][sample]") {
  check_samples("sdxl", {"turbo_1", "turbo_4", "velocity", "velocity_ddim"});
}
TEST_CASE("An empty negative prompt is encoded, and guidance 1 needs none", "[parity][sample]") {
  for (const std::string family : {"sd15", "sd21", "sdxl"}) check_samples(family, {"empty_negative", "unguided"});
}
TEST_CASE("Pictures of several prompts and seeds agree to the level, in prompt order", "[parity][sample]") {
  for (const std::string family : {"sd15", "sd21", "sdxl"}) check_pictures(family);
}
