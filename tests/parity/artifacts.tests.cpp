// A LoRA and a learned token as diffusers saves and applies them (make_artifact_reference.py).
#include <catch2/catch.hpp>

#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_values.h"
#include "tests/parity/comparison.h"
#include "tests/parity/drawn.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/artifacts";

/// With the prompt and the files of most tests; `weight` is the LoRA's.
Drawing with_both(const std::string& weight) {
  return {.model = models_folder() / "sd21",
          .prompt = "a {} photo",
          .artifacts = {kFolder / "learned_embeds.safetensors",
                        (kFolder / "pytorch_lora_weights.safetensors").string() + weight}};
}

/// An artifact as DreamBooth's stage saves it: all weights of both components, by the rule of make_tuned_reference.py.
void write_tuned(const fs::path& file) {
  atelier::TensorSet set;
  for (const auto& [component, name] :
       {std::pair("unet", "diffusion_pytorch_model"), std::pair("text_encoder", "model")}) {
    const auto path = models_folder() / "sd21" / component / (std::string(name) + ".safetensors");
    for (const auto& [parameter, view] : atelier::read_safetensors(path).tensors) {
      if (parameter.ends_with("position_ids")) continue;
      auto values = atelier::values_of(view, parameter);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto hash = static_cast<std::uint32_t>(i * 2654435761U);
        values[i] = static_cast<float>(values[i]) * ((hash >> 28 & 1) != 0 ? 0.95F : 1.05F);
      }
      set.tensors[std::string(component) + "." + parameter] =
          atelier::make_view(values, view.shape, atelier::Dtype::f32);
    }
  }
  set.metadata["atelier"] = R"({"method": "dreambooth", "stage": "finetune", "step": 1, "notes": {}})";
  atelier::write_safetensors(file, set.tensors, {.metadata = set.metadata});
}

}  // namespace

TEST_CASE("Tuned weights of UNet and text encoder act as in the pipeline that has them",
          "[parity][artifacts][dreambooth]") {
  const TemporaryFolder out;
  write_tuned(out / "artifact.safetensors");
  Drawing drawing{
      .model = models_folder() / "sd21", .prompt = "a photo of sks man", .artifacts = {out / "artifact.safetensors"}};
  CHECK(deviation(drawn_latents(drawing), tensor_in(kFolder / "expected_tuned_latents.safetensors")) < 1e-4);
  drawing.artifacts.front() += ":0.5";
  const Outcome refused = run_atelier(drawing_arguments(drawing, out.path()));
  CHECK(refused.status != 0);
  CHECK(refused.err.find("weight 0.5") != std::string::npos);
}

TEST_CASE("A LoRA with weight and a learned token act as in diffusers", "[parity][artifacts]") {
  const TemporaryFolder out;
  run_well(drawing_arguments(with_both(":0.7"), out.path()));
  CHECK(deviation(tensor_in(out / "latents.safetensors"), tensor_in(kFolder / "expected_latents.safetensors")) < 1e-4);
  CHECK(fs::exists(out / "pictures/000_a_cat_toy_photo/000.png"));
}

TEST_CASE("Another weight of the LoRA gives another picture", "[parity][artifacts]") {
  CHECK(deviation(drawn_latents(with_both(":0.6")), tensor_in(kFolder / "expected_latents.safetensors")) > 1e-3);
}

TEST_CASE("A LoRA of another base model is refused by name", "[parity][artifacts]") {
  const TemporaryFolder out;
  const Outcome outcome = run_atelier(drawing_arguments({.model = models_folder() / "sd15",
                                                         .prompt = "a photo",
                                                         .artifacts = {kFolder / "pytorch_lora_weights.safetensors"}},
                                                        out.path()));
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("pytorch_lora_weights.safetensors") != std::string::npos);
  CHECK_FALSE(fs::exists(out / "pictures"));
}
