// Merged LoRAs and every dialect of a LoRA on SDXL, against diffusers (make_merge_sdxl_reference.py, which with --load
// has diffusers load what was converted here).
#include <catch2/catch.hpp>

#include "tests/parity/comparison.h"
#include "tests/parity/drawn.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kLargeMerge = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/artifacts/merge_sdxl";

/// Final latents of ten steps with these artifacts, against those that diffusers has under this name.
double large_deviation(const std::string& expected, const std::vector<std::string>& artifacts,
                       const fs::path& model = models_folder() / "sdxl") {
  const auto ours = drawn_latents(
      {.model = model, .prompt = "a photo", .guidance = "5", .scheduler = "euler", .artifacts = artifacts});
  return deviation(ours, tensor_in(kLargeMerge / "expected_latents.safetensors", expected));
}

}  // namespace

TEST_CASE("On SDXL a merged LoRA, a model with the sum and two adapters give the latents of diffusers' set_adapters",
          "[parity][merge]") {
  const TemporaryFolder out;
  const auto model = models_folder() / "sdxl";
  const auto subject = (kLargeMerge / "subject.safetensors").string() + ":0.8";
  const auto style = (kLargeMerge / "style.safetensors").string() + ":-0.5";
  const std::string both = out / "both.safetensors", cut = out / "cut.safetensors", sum = out / "model";
  CHECK(large_deviation("merged", {subject, style}) < 1e-4);
  run_well({"merge", style, subject, "--out", both});
  CHECK(large_deviation("merged", {both}) < 1e-4);
  CHECK(large_deviation("merged", {subject}) > 1e-2);
  run_well({"merge", style, subject, "--as", "svd", "--rank", "3", "--out", cut});
  CHECK(large_deviation("merged", {cut}) < 1e-4);
  run_well({"merge", style, subject, "--as", "sum", "--dtype", "float32", "--model", model.string(), "--out", sum});
  CHECK(large_deviation("merged", {}, sum) < 1e-4);
}

TEST_CASE(
    "A LoRA of diffusers for SDXL gives its latents in every dialect and as an artifact of every method with LoRA",
    "[parity][convert]") {
  const std::string to = GENERATE("peft", "diffusers", "kohya", "dco", "dreambooth_lora", "textreg");
  INFO(to);
  const TemporaryFolder out;
  const std::string file = out / "converted.safetensors";
  std::vector<std::string> arguments = {"convert", kLargeMerge / "subject.safetensors", "--to", to, "--out", file};
  if (to == "kohya") arguments.insert(arguments.end(), {"--model", models_folder() / "sdxl"});
  run_well(arguments);
  CHECK(large_deviation("subject", {file + ":0.8"}) < 1e-4);
}

TEST_CASE("A LoRA of diffusers for SDXL on whole attentions gives its latents as cloneofsimo numbers it",
          "[parity][convert]") {
  const TemporaryFolder out;
  const std::string file = out / "converted.safetensors";
  const auto convert = [&](const char* lora) {
    return std::vector<std::string>{"convert", (kLargeMerge / lora).string(), "--to",  "cloneofsimo",
                                    "--model", models_folder() / "sdxl",      "--out", file};
  };
  const Outcome refused = run_atelier(convert("subject.safetensors"));  // some of the projections alone
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Catch::Contains("a LoRA on 68 layers") && Catch::Contains("write another format"));
  run_well(convert("attention.safetensors"));
  CHECK(large_deviation("attention", {file + ":0.8"}) < 1e-4);
}

TEST_CASE("A LoRA and its token become an artifact of a method, which samples as they do", "[parity][convert]") {
  const TemporaryFolder out;
  const fs::path source = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/artifacts";
  const std::string file = out / "artifact.safetensors", back = out / "back.safetensors";
  fs::create_directories(out / "both");
  for (const auto* name : {"pytorch_lora_weights.safetensors", "learned_embeds.safetensors"}) {
    fs::copy_file(source / name, out / "both" / name);
  }
  run_well({"convert", out / "both", "--to", "dreambooth_lora", "--out", file});
  const auto token = (out / "token.safetensors").string();
  run_well({"convert", source / "learned_embeds.safetensors", "--to", "textual_inversion", "--out", token});
  const auto lora = (source / "pytorch_lora_weights.safetensors").string();
  // One artifact with both, and one of the token alone beside the file of the LoRA.
  const bool together = GENERATE(true, false);
  const auto artifacts =
      together ? std::vector<std::string>{file + ":0.7"} : std::vector<std::string>{token, lora + ":0.7"};
  const auto ours =
      drawn_latents({.model = models_folder() / "sd21", .prompt = "a <cat-toy> photo", .artifacts = artifacts});
  CHECK(deviation(ours, tensor_in(source / "expected_latents.safetensors")) < 1e-4);
  const Outcome refused = run_atelier({"convert", file, "--to", "textual_inversion", "--out", back});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("learns no LoRA"));
  CHECK_FALSE(fs::exists(back));
}
