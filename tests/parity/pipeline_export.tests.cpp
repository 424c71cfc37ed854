// Trained artifacts as whole models, and the output folder of a method's own program (make_attndreambooth_output.py).
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/lora_values.h"
#include "tests/parity/comparison.h"
#include "tests/parity/drawn.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Strings = std::vector<std::string>;

const fs::path kOutput = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/attndreambooth_output";
const char* const kUnetFile = "diffusion_pytorch_model.safetensors";

/// Latents of one picture by the published sampler.
std::vector<double> sampled(const fs::path& model, const std::string& prompt, Strings more = {}) {
  more.insert(more.begin(), {"--set", "final_sigmas_type=sigma_min", "timestep_spacing=linspace"});
  return drawn_latents({.model = model,
                        .prompt = prompt,
                        .steps = "20",
                        .guidance = "7.5",
                        .scheduler = "dpmpp_2m",
                        .more = std::move(more)});
}

/// The base's UNet with changes that are exact in float32, as the script makes them.
void write_unet(const fs::path& folder, bool whole) {
  const auto base = atelier::read_safetensors(models_folder() / "sd15/unet" / kUnetFile);
  std::map<std::string, atelier::TensorView> tensors;
  for (const auto& [name, view] : base.tensors) {
    auto values = atelier::values_of(view, name);
    for (double& value : values) {
      if (name.ends_with("attn2.to_v.weight")) value *= 1.5;
      if (whole && name == "conv_out.bias") value += 0.25;
    }
    tensors[name] = atelier::make_view(values, view.shape, atelier::Dtype::f32);
  }
  fs::create_directories(folder);
  atelier::write_safetensors(folder / kUnetFile, tensors, {.metadata = {}, .add_format = true});
}

void copy_embeddings(const fs::path& folder) {
  fs::create_directories(folder);
  fs::copy(kOutput / "learned_embeds", folder / "learned_embeds");
}

std::vector<double> expected(const std::string& stage) {
  return tensor_in(kOutput / "expected_latents.safetensors", stage);
}

/// The only folder in a folder.
fs::path only_folder(const fs::path& folder) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    REQUIRE(found.empty());
    found = entry.path();
  }
  return found;
}

/// A study of one run: the three stages of AttnDreamBooth, one step each.
class OneRun {
 public:
  OneRun() {
    json options{{"resolution", 64}, {"n_object_embedding", 2}, {"initialize_token", "red man"}};
    for (const char* stage : {"embedding", "attention", "identity"}) {
      options[std::string(stage) + ".max_train_steps"] = 1;
      options[std::string(stage) + ".train_batch_size"] = 1;
      options[std::string(stage) + ".learning_rate"] = 1e-2;
    }
    const json concept_entry{
        {"name", "cat"}, {"path", ATELIER_SOURCE_DIR "/experiments/demo/concepts/cat"}, {"class", "man"}};
    const json study{
        {"study", "whole"},
        {"concepts", json::array({concept_entry})},
        {"methods", {{"attndreambooth", {{"base", (models_folder() / "sd15").string()}, {"options", options}}}}},
        {"seed", 0},
        {"placement", {{"device", "cpu"}, {"dtype", "float32"}, {"threads", 1}}}};
    atelier::write_file_atomically(folder_ / "study.yaml", study.dump());
    run_well({"run", folder_ / "study.yaml", "--store", folder_ / "store"});
  }

  /// The folder of the run in one form.
  [[nodiscard]] fs::path exported(const std::string& form) const {
    const fs::path out = folder_ / form;
    run_well({"export", "whole", "--artifacts", "--form", form, "--out", out, "--store", folder_ / "store"});
    return only_folder(out);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("The output folder of AttnDreamBooth's program samples as there", "[parity][artifacts][attndreambooth]") {
  const TemporaryFolder folder;
  copy_embeddings(folder.path());
  write_unet(folder / "learned_models/attn_models/checkpoint-100/unet", false);
  const Strings artifact{"--artifact", folder.path().string(), "--class", "man"};
  const fs::path base = models_folder() / "sd15";
  CHECK(deviation(sampled(base, "a photo of a {}", artifact), expected("attention")) < 1e-4);
  // An older checkpoint of the last stage does not count, the attention stage's neither.
  write_unet(folder / "learned_models/unet_models/checkpoint-500/unet", true);
  fs::create_directories(folder / "learned_models/unet_models/checkpoint-90/unet");
  fs::copy(base / "unet" / kUnetFile, folder / "learned_models/unet_models/checkpoint-90/unet" / kUnetFile);
  CHECK(deviation(sampled(base, "a photo of a {}", artifact), expected("identity")) < 1e-4);
}

TEST_CASE("A trained artifact, its pipeline and its authors' files draw the same picture",
          "[parity][artifacts][attndreambooth]") {
  const OneRun run;
  const fs::path base = models_folder() / "sd15";
  const fs::path artifact = run.exported("atelier");
  fs::path file;  // of the last job
  for (const auto& entry : fs::recursive_directory_iterator(artifact)) {
    if (entry.path().extension() == ".safetensors") file = std::max(file, entry.path());
  }
  REQUIRE(file.filename() == "job2_step1.safetensors");
  const auto own = sampled(base, "a {} on the moon", {"--artifact", file.string(), "--class", "man"});
  const auto plain = sampled(base, "a man on the moon");
  CHECK(deviation(own, plain) > 1e-2);
  const fs::path whole = run.exported("pipeline");
  CHECK(fs::is_regular_file(whole / "model_index.json"));
  CHECK(fs::is_regular_file(whole / "vae/diffusion_pytorch_model.safetensors"));
  // Diffusers and Atelier both read a token of several vectors where its first stands.
  CHECK(deviation(sampled(whole, "a new_concept_v0 man on the moon"), own) < 1e-6);
  const fs::path authors = run.exported("authors");
  CHECK(fs::is_regular_file(authors / "learned_embeds/learned_embeds.bin"));
  CHECK(fs::is_regular_file(authors / "learned_models/unet_models/checkpoint-1/unet/config.json"));
  const auto again = sampled(base, "a {} on the moon", {"--artifact", authors.string(), "--class", "man"});
  CHECK(deviation(again, own) < 1e-6);
}

TEST_CASE("Prompts of a file hold the learned token and the class word where they say {}",
          "[parity][artifacts][attndreambooth]") {
  const TemporaryFolder folder;
  copy_embeddings(folder / "output");
  atelier::write_file_atomically(folder / "prompts.txt", "A photo of a {}\n\nA {} latte art\n");
  run_well({"sample", "--model", (models_folder() / "sd15").string(), "--prompts", folder / "prompts.txt", "--artifact",
            folder / "output", "--class", "man", "--steps", "1", "--size", "64x64", "--out", folder / "pictures"});
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(folder / "pictures")) folders.push_back(entry.path().filename());
  std::sort(folders.begin(), folders.end());
  REQUIRE(folders.size() == 2);
  CHECK_THAT(folders[0], Catch::Contains("photo_of_a_new_concept_v0_man", Catch::CaseSensitive::No));
  CHECK_THAT(folders[1], Catch::Contains("a_new_concept_v0_man_latte_art", Catch::CaseSensitive::No));
}
