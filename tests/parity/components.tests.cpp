// Every component of the three tiny pipelines against diffusers and transformers (make_references.py).
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

using Names = std::vector<std::string>;

constexpr double kFloat = 2e-5;
// A GPU's float32 sinusoids (the time embedding is float32 everywhere) and its bicubic weights differ from a CPU's in
// the last bits, and the float64 around them shows it.
const bool kOnGpu = std::getenv("ATELIER_TEST_DEVICE") != nullptr;
const double kDouble = kOnGpu ? 2e-7 : 1e-9;
const double kDoubleUNet = kOnGpu ? 1e-5 : 1e-7;

/// One process for all `inputs`, each a reference file <folder>/<input>.in.safetensors.
void check(const std::string& component, const std::filesystem::path& model, const std::filesystem::path& folder,
           const Names& inputs, const std::string& dtype, double tolerance) {
  const TemporaryFolder outputs;
  Names arguments{"probe", "component", component, "--model", model, "--dtype", dtype};
  for (const auto& input : inputs) {
    arguments.insert(arguments.end(), {"--in", folder / (input + ".in.safetensors"), "--out", outputs / input});
  }
  const Outcome outcome = run_atelier(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  for (const auto& input : inputs) {
    CHECK(differences(outputs / input, folder / (input + "." + dtype + ".safetensors"), tolerance) == "");
  }
}

void check_component(const std::string& family, const std::string& component, const std::string& dtype) {
  Names inputs;
  if (component == "unet") inputs = {"unet_10x14", "unet_9x11", "unet_16x8"};
  if (component == "vae_encoder") inputs = {"vae_encoder_32x48", "vae_encoder_40x56"};
  if (component == "vae_decoder") inputs = {"vae_decoder_4x6", "vae_decoder_5x3"};
  if (component.starts_with("text_encoder")) inputs = {component + "_prompts", component + "_ids"};
  const double tolerance = dtype == "float32" ? kFloat : component == "unet" ? kDoubleUNet : kDouble;
  check(component, models_folder() / family, references_folder() / family, inputs, dtype, tolerance);
}

void check_encoder(const std::string& encoder, const Names& inputs) {
  const auto model = models_folder() / "image_encoders" / encoder;
  const auto folder = references_folder() / "image_encoders";
  check("image_encoder", model, folder, inputs, "float32", kFloat);
  check("image_encoder", model, folder, inputs, "float64", kDouble);
}

}  // namespace

TEST_CASE("The UNet of SD 1.5 agrees in float32", "[parity][unet]") { check_component("sd15", "unet", "float32"); }
TEST_CASE("The UNet of SD 1.5 agrees in float64", "[parity][unet]") { check_component("sd15", "unet", "float64"); }
TEST_CASE("The UNet of SD 2.1 agrees in float32, from a bfloat16 file", "[parity][unet]") {
  check_component("sd21", "unet", "float32");
}
TEST_CASE("The UNet of SD 2.1 agrees in float64, from a bfloat16 file", "[parity][unet]") {
  check_component("sd21", "unet", "float64");
}
TEST_CASE("The UNet of SDXL agrees in float32, from float16 shards", "[parity][unet]") {
  check_component("sdxl", "unet", "float32");
}
TEST_CASE("The UNet of SDXL agrees in float64, from float16 shards", "[parity][unet]") {
  check_component("sdxl", "unet", "float64");
}

TEST_CASE("The VAE encoder of SD 1.5 agrees in float32, with the old attention names", "[parity][vae]") {
  check_component("sd15", "vae_encoder", "float32");
}
TEST_CASE("The VAE encoder of SD 1.5 agrees in float64, with the old attention names", "[parity][vae]") {
  check_component("sd15", "vae_encoder", "float64");
}
TEST_CASE("The VAE encoder of SD 2.1 agrees in float32", "[parity][vae]") {
  check_component("sd21", "vae_encoder", "float32");
}
TEST_CASE("The VAE encoder of SD 2.1 agrees in float64", "[parity][vae]") {
  check_component("sd21", "vae_encoder", "float64");
}
TEST_CASE("The VAE encoder of SDXL agrees in float32", "[parity][vae]") {
  check_component("sdxl", "vae_encoder", "float32");
}
TEST_CASE("The VAE encoder of SDXL agrees in float64", "[parity][vae]") {
  check_component("sdxl", "vae_encoder", "float64");
}

TEST_CASE("The VAE decoder of SD 1.5 agrees in float32, with the old attention names", "[parity][vae]") {
  check_component("sd15", "vae_decoder", "float32");
}
TEST_CASE("The VAE decoder of SD 1.5 agrees in float64, with the old attention names", "[parity][vae]") {
  check_component("sd15", "vae_decoder", "float64");
}
TEST_CASE("The VAE decoder of SD 2.1 agrees in float32", "[parity][vae]") {
  check_component("sd21", "vae_decoder", "float32");
}
TEST_CASE("The VAE decoder of SD 2.1 agrees in float64", "[parity][vae]") {
  check_component("sd21", "vae_decoder", "float64");
}
TEST_CASE("The VAE decoder of SDXL agrees in float32", "[parity][vae]") {
  check_component("sdxl", "vae_decoder", "float32");
}
TEST_CASE("The VAE decoder of SDXL agrees in float64", "[parity][vae]") {
  check_component("sdxl", "vae_decoder", "float64");
}

TEST_CASE("The text encoder of SD 1.5 agrees in float32, pooling at the largest id", "[parity][text_encoder]") {
  check_component("sd15", "text_encoder", "float32");
}
TEST_CASE("The text encoder of SD 1.5 agrees in float64, pooling at the largest id", "[parity][text_encoder]") {
  check_component("sd15", "text_encoder", "float64");
}
TEST_CASE("The text encoder of SD 2.1 agrees in float32, pooling at the first end of text", "[parity][text_encoder]") {
  check_component("sd21", "text_encoder", "float32");
}
TEST_CASE("The text encoder of SD 2.1 agrees in float64, pooling at the first end of text", "[parity][text_encoder]") {
  check_component("sd21", "text_encoder", "float64");
}
TEST_CASE("The first text encoder of SDXL agrees in float32, from a file as transformers 5 writes it",
          "[parity][text_encoder]") {
  check_component("sdxl", "text_encoder", "float32");
}
TEST_CASE("The first text encoder of SDXL agrees in float64, from a file as transformers 5 writes it",
          "[parity][text_encoder]") {
  check_component("sdxl", "text_encoder", "float64");
}
TEST_CASE("The second text encoder of SDXL agrees in float32 and projects", "[parity][text_encoder]") {
  check_component("sdxl", "text_encoder_2", "float32");
}
TEST_CASE("The second text encoder of SDXL agrees in float64 and projects", "[parity][text_encoder]") {
  check_component("sdxl", "text_encoder_2", "float64");
}

TEST_CASE("CLIP image embeddings agree with quick_gelu", "[parity][image_encoder]") {
  check_encoder("clip_quick_gelu", {"clip_quick_gelu"});
}
TEST_CASE("CLIP image embeddings agree with gelu", "[parity][image_encoder]") {
  check_encoder("clip_gelu", {"clip_gelu"});
}
TEST_CASE("CLIP image embeddings agree from a folder with both towers", "[parity][image_encoder]") {
  check_encoder("clip_full", {"clip_full"});
}
TEST_CASE("DINO's class token is that of eps 1e-6, though the config says 1e-12", "[parity][image_encoder]") {
  check_encoder("dino", {"dino"});
}
TEST_CASE("DINOv2's position table is interpolated with the offset 0.1", "[parity][image_encoder]") {
  check_encoder("dinov2", {"dinov2", "dinov2_own_size"});
}
TEST_CASE("DINOv2 agrees with gated feed-forward layers", "[parity][image_encoder]") {
  check_encoder("dinov2_swiglu", {"dinov2_swiglu"});
}
TEST_CASE("DINOv2 with register tokens interpolates with antialiasing and no offset", "[parity][image_encoder]") {
  check_encoder("dinov2_registers", {"dinov2_registers"});
}
TEST_CASE("SigLIP's attention-pooled embedding agrees", "[parity][image_encoder]") {
  check_encoder("siglip_vision", {"siglip_vision"});
}
TEST_CASE("SigLIP's image embedding agrees from a folder with both towers", "[parity][image_encoder]") {
  check_encoder("siglip_full", {"siglip_full"});
}
