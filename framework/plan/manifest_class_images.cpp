// Images of the class, for stages that train on them: given in a folder, or drawn by the base model.
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/plan/manifest_builder.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSetSize = 20;  // images of one key: a smaller number of images is a part of a larger one
constexpr std::int64_t kBatch = 4;     // rows of one call of the UNet, as in diffusers' scripts

/// The option's value, or `fallback` for a method without it.
Json option_or(const Json& options, const char* name, Json fallback) {
  const auto found = options.find(name);
  return found == options.end() || found->is_null() ? std::move(fallback) : *found;
}

Json json_of(const SamplerSpec& sampler) {
  return {{"scheduler", sampler.scheduler},
          {"steps", sampler.steps},
          {"guidance", sampler.guidance},
          {"settings", sampler.settings}};
}

}  // namespace

fs::path ManifestBuilder::class_image_folder(const StudyConcept& entry) const {
  if (entry.class_images.empty()) return concepts_.at(entry.name).folder.class_images;
  return resolved_path(entry.class_images);
}

PlannedClassImages ManifestBuilder::class_images(const PlannedModel& model, const Cell& cell, const StageSpec& stage) {
  if (stage.class_images_when.empty() || !hold(stage.class_images_when, model.options)) return {};
  const auto& entry = *std::ranges::find(study_.concepts, cell.subject, &StudyConcept::name);
  const auto wish = option_or(model.options, "class_images", "auto").get<std::string>();
  const fs::path folder = wish == "generated" ? fs::path() : class_image_folder(entry);
  if (!folder.empty()) return given_class_images(folder, entry);
  if (wish != "given") return generated_class_images(model, stage);
  throw Error({.where = place_text(study_.file, entry.at),
               .found = fmt::format("{} trains on images of the class, and {} has none", cell.label, entry.name),
               .expected = "a folder with images of the class",
               .advice = "name it as class_images: of the concept, or let them be drawn with class_images: generated"},
              ErrorKind::usage);
}

PlannedClassImages ManifestBuilder::given_class_images(const fs::path& folder, const StudyConcept& entry) {
  auto found = class_folders_.find(folder.string());
  if (found == class_folders_.end()) {
    try {
      found = class_folders_.emplace(folder.string(), read_class_images(folder, sources_.photos)).first;
    } catch (const Error& error) {
      throw Error({.where = place_text(study_.file, entry.at) + ": class_images", .found = error.what()},
                  ErrorKind::usage);
    }
  }
  PlannedClassImages images;
  Json decisive = Json::array();
  for (const ConceptPhoto& image : found->second) {
    decisive.push_back({{"sha256", image.sha256}, {"caption", image.caption}});
    images.photos.push_back(decisive.back());
    images.photos.back()["path"] = fs::absolute(image.path).lexically_normal().string();
  }
  images.ingredient = {{"photos", std::move(decisive)}};
  return images;
}

PlannedClassImages ManifestBuilder::generated_class_images(const PlannedModel& model, const StageSpec& stage) {
  const auto template_text = option_or(model.options, "class_prompt", "a photo of {}").get<std::string>();
  const auto count = option_or(model.options, "num_class_images", 200).get<std::int64_t>();
  const ClassImageIngredients in{.base = model.base->digest,
                                 .prompt = filled(template_text, model.subject.at("class_word").get<std::string>()),
                                 .sampler = json_of(stage.class_images_sampler),
                                 .size = model.base->size,
                                 .batch = kBatch,
                                 .numerics_class = numerics_class_};
  PlannedModel bare;
  bare.base = model.base;
  bare.method = "base model";
  Json content = common_job(bare);
  content["prompt"] = in.prompt;
  content["sampler"] = in.sampler;
  content["size"] = {in.size, in.size};
  content["batch"] = in.batch;
  const std::string identity = key_of({{"generate", class_images_description(in, {})}});
  Json& made = job(identity, "generate", {}, model.base->digest, std::move(content));
  PlannedClassImages images;
  images.needs = {made.at("id").get<std::int64_t>()};
  for (std::int64_t first = 0; first < count; first += kSetSize) {
    std::vector<std::int64_t> seeds;
    for (std::int64_t k = first; k < std::min(first + kSetSize, count); ++k) {
      seeds.push_back(class_image_seed(in.prompt, k));
    }
    Json description = class_images_description(in, seeds);
    const std::string key = key_of(description);
    images.sets.push_back(key);
    Json& outputs = made.at("outputs");
    if (std::ranges::any_of(outputs, [&](const Json& output) { return output.at("key") == key; })) continue;
    const auto last = first + static_cast<std::int64_t>(seeds.size()) - 1;
    outputs.push_back({{"key", key},
                       {"description", std::move(description)},
                       {"prompt_id", fmt::format("{} {}-{}", in.prompt, first, last)},
                       {"text", in.prompt},
                       {"seeds", std::move(seeds)}});
  }
  images.ingredient = {{"generated", images.sets}};
  return images;
}

}  // namespace atelier
