#include "framework/pretraining/base_recipe.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "tests/framework/pretraining/scene_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

std::string recipe_refusal(const std::string& text) {
  const TemporaryFolder place;
  write_recipe(place.path(), "vae");
  std::ofstream(place / "recipe.yaml") << text;
  try {
    static_cast<void>(read_base_recipe(place / "recipe.yaml"));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

const std::string kGood =
    "component: vae\nmodel: vae.config.json\nscenes: train\ntrain: {steps: 5, batch: 2, learning_rate: 1e-3}\n";

}  // namespace

TEST_CASE("a recipe's values and defaults", "[pretraining][recipe]") {
  const TemporaryFolder place;
  const auto path = write_recipe(place.path(), "vae", 12, "ema_decay: 0.9, lr_scheduler: cosine, seed: 3");
  const BaseRecipe recipe = read_base_recipe(path);
  CHECK(recipe.component == BaseComponent::vae);
  CHECK(recipe.steps == 12);
  CHECK(recipe.train.lr_total_steps == 12);
  CHECK(recipe.train.batch == 6);
  CHECK(recipe.learning_rate == 1e-3);
  CHECK(recipe.ema_decay == 0.9);
  CHECK(recipe.seed == 3);
  CHECK(recipe.train.max_grad_norm == 1.0);
  CHECK(recipe.vae.l1 == 1.0);
  CHECK(recipe.model.at("_class_name") == "AutoencoderKL");
  CHECK(recipe.beside("x") == place / "x");
  CHECK(read_base_recipe(path, 40).train.lr_total_steps == 40);
  CHECK(recipe.resolved() != read_base_recipe(path, 40).resolved());
}

TEST_CASE("a recipe with faults is refused with all of them", "[pretraining][recipe]") {
  CHECK(recipe_refusal(kGood) == "accepted");
  CHECK_THAT(recipe_refusal("model: x\n"), Contains("no key \"component\""));
  CHECK_THAT(recipe_refusal("component: vea\n"), Contains("vea") && Contains("vae"));
  CHECK_THAT(recipe_refusal(kGood + "tokenizer: x\n"), Contains("tokenizer"));
  CHECK_THAT(recipe_refusal(kGood + "objective: {snr_gamma: 5}\n"),
             Contains("recipe.yaml:5:13") && Contains("snr_gamma"));
  CHECK_THAT(recipe_refusal("component: vae\nmodel: vae.config.json\nscenes: train\n"), Contains("no key \"train\""));
  const std::string faults = recipe_refusal(
      "component: vae\nmodel: vae.config.json\nscenes: train\n"
      "train: {steps: 0, learning_rate: fast, adam_beta1: 1.5, lr_scheduler: cosine}\n");
  CHECK_THAT(faults, Contains("train.steps"));
  CHECK_THAT(faults, Contains("no key \"train.batch\""));
  CHECK_THAT(faults, Contains("train.learning_rate"));
  CHECK_THAT(faults, Contains("train.adam_beta1: 1.5; expected a number below 1"));
  CHECK_THAT(recipe_refusal("component: vae\nmodel: vae.config.json\nscenes: train\n"
                            "train: {steps: 5, batch: 2, learning_rate: 1e-3, lr_scheduler: cosin}\n"),
             Contains("cosin") && Contains("cosine"));
}

TEST_CASE("every recipe of the pocket world can be read", "[pretraining][recipe]") {
  const std::string variant = GENERATE("", "mini");
  const auto folder = std::filesystem::path(ATELIER_SOURCE_DIR) / "experiments/pocket/recipes" / variant;
  for (const char* name : {"vae", "clip", "unet", "segmenter", "judge"}) {
    INFO(variant << " " << name);
    const BaseRecipe recipe = read_base_recipe(folder / (std::string(name) + ".yaml"));
    CHECK(component_name(recipe.component) == name);
    CHECK_FALSE(recipe.model.empty());
  }
  const auto gpu = std::filesystem::path(ATELIER_SOURCE_DIR) / "experiments/pocket/recipes/gpu/unet.yaml";
  CHECK(read_base_recipe(gpu).component == BaseComponent::unet);
}
