// Converted files act as diffusers made the original act (make_artifact_reference.py); check_converted_files.py has
// diffusers load the converted files themselves.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kArtifacts = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/artifacts";

void convert_file(const fs::path& in, const std::string& to, const fs::path& out, bool model) {
  std::vector<std::string> arguments = {"convert", in.string(), "--to", to, "--out", out.string(), "--json"};
  if (model) arguments.insert(arguments.end(), {"--model", (models_folder() / "sd21").string()});
  const Outcome outcome = run_atelier(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto report = atelier::parse_json(outcome.out, "convert");
  CHECK(report.at("to") == to);
  CHECK(report.at("left").empty());
}

/// Final latents with these files, against those that diffusers computed from the originals.
double deviation_with(const fs::path& lora, const fs::path& token, const TemporaryFolder& out) {
  const Outcome outcome = run_atelier({"sample",
                                       "--model",
                                       (models_folder() / "sd21").string(),
                                       "--prompt",
                                       "a <cat-toy> photo",
                                       "--steps",
                                       "10",
                                       "--guidance",
                                       "3",
                                       "--scheduler",
                                       "ddim",
                                       "--seed",
                                       "5",
                                       "--size",
                                       "64x64",
                                       "--threads",
                                       "1",
                                       "--out",
                                       (out / "pictures").string(),
                                       "--latents-out",
                                       (out / "l.safetensors").string(),
                                       "--artifact",
                                       token.string(),
                                       "--artifact",
                                       lora.string() + ":0.7"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto ours = atelier::read_safetensors(out / "l.safetensors").tensors;
  const auto theirs = atelier::read_safetensors(kArtifacts / "expected_latents.safetensors").tensors;
  return deviation(values_of(ours.at("latents")), values_of(theirs.at("latents")));
}

}  // namespace

TEST_CASE("A LoRA and a token converted to other dialects give diffusers' latents", "[parity][convert]") {
  const auto [lora, token, file] =
      GENERATE(table<std::string, std::string, std::string>({{"peft", "learned_embeds-bin", "t.bin"},
                                                             {"kohya", "a1111", "t.pt"},
                                                             {"diffusers", "learned_embeds", "t.safetensors"}}));
  INFO(lora << " and " << token);
  const TemporaryFolder out;
  convert_file(kArtifacts / "pytorch_lora_weights.safetensors", lora, out / "lora.safetensors", lora == "kohya");
  convert_file(kArtifacts / "learned_embeds.safetensors", token, out / file, false);
  CHECK(deviation_with(out / "lora.safetensors", out / file, out) < 1e-4);
}
