// Converted files act as diffusers made the original act (make_artifact_reference.py); check_converted_files.py has
// diffusers load the converted files themselves.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/parity/comparison.h"
#include "tests/parity/drawn.h"
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
double deviation_with(const fs::path& lora, const fs::path& token) {
  const auto ours = drawn_latents({.model = models_folder() / "sd21",
                                   .prompt = "a <cat-toy> photo",
                                   .artifacts = {token.string(), lora.string() + ":0.7"}});
  return deviation(ours, tensor_in(kArtifacts / "expected_latents.safetensors"));
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
  CHECK(deviation_with(out / "lora.safetensors", out / file) < 1e-4);
}

namespace {

const fs::path kMerge = kArtifacts / "merge";

/// Final latents of a walk with this model and these artifacts, against diffusers' with both adapters.
double merged_deviation(const fs::path& model, const std::vector<std::string>& artifacts) {
  const auto ours = drawn_latents({.model = model, .prompt = "a photo", .artifacts = artifacts});
  return deviation(ours, tensor_in(kMerge / "expected_latents.safetensors"));
}

}  // namespace

TEST_CASE("A merged LoRA, a model with the sum and two adapters give the latents of diffusers' set_adapters",
          "[parity][merge]") {
  const TemporaryFolder out;
  const auto model = models_folder() / "sd21";
  const auto subject = (kMerge / "subject.safetensors").string(), style = (kMerge / "style.safetensors").string();
  const auto merge = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"merge", style + ":-0.5", subject + ":0.8"};  // the order does not matter
    arguments.insert(arguments.end(), more.begin(), more.end());
    run_well(arguments);
  };
  CHECK(merged_deviation(model, {subject + ":0.8", style + ":-0.5"}) < 1e-4);
  merge({"--out", (out / "both.safetensors").string()});
  CHECK(merged_deviation(model, {(out / "both.safetensors").string()}) < 1e-4);
  CHECK(merged_deviation(model, {(out / "both.safetensors").string() + ":0.9"}) > 1e-3);
  merge({"--as", "sum", "--dtype", "float32", "--model", model.string(), "--out", (out / "model").string()});
  CHECK(merged_deviation(out / "model", {}) < 1e-4);
}
