#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "framework/methods/loader.h"
#include "framework/methods/stage_settings.h"
#include "framework/worker/job.h"
#include "framework/worker/picture_draws.h"
#include "framework/worker/tensor_files.h"

namespace atelier::worker {
namespace {

/// The recipe of the method's first stage under the job's options.
ImageRecipe recipe_of(const Job& job) {
  const auto plugin = MethodPlugin::open(job.text("plugin"));
  const auto& stage = plugin.spec().stages.front();
  const Concept subject{.name = "probe", .class_word = "object", .initializer = {}, .kind = "object"};
  PromptLists lists;  // no caption is made, so a list only has to be there
  for (const auto& id : stage.lists) lists[id] = {"{}"};
  const auto options = options_of_stage(plugin.spec(), stage.name, *job.find("options"));
  return plugin.create()->stage(stage.name, options, subject, lists)->data().recipe;
}

/// Those of the file, or those that row 0 of step 0 of a training with this seed makes.
PictureDraws draws_of(const Job& job, const ImageRecipe& recipe, const Image& photo) {
  if (const Json* given = job.find("draws")) return draws_from_json(recipe, *given, job.text("draws_file"));
  RandomDraws draws({.seed = static_cast<std::uint64_t>(job.integer("seed")), .stage = 0, .step = 0, .slot = 0});
  return draw_picture(recipe, photo.size(), draws);
}

}  // namespace

void run_probe_picture(const Job& job) {
  const ImageRecipe recipe = recipe_of(job);
  const Image photo = load_image(job.text("image"), {.exif = recipe.exif, .alpha = {.kind = AlphaRule::Kind::drop}});
  const PictureDraws draws = draws_of(job, recipe, photo);
  PixelValues pixels = recipe_pixels(photo, recipe, draws);
  const std::vector<std::int64_t> shape(pixels.shape.begin(), pixels.shape.end());
  NamedTensors result;
  result.tensors["pixel_values"] = at::from_blob(pixels.values.data(), shape, at::kFloat);
  write_named_tensors(job.text("out"), result);
  if (const auto out = job.optional_text("draws_out")) {
    write_file_atomically(*out, draws_json(recipe, draws).dump(2) + "\n");
  }
}

}  // namespace atelier::worker
