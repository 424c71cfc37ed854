// Masks of pictures and photos, for protocols that score foregrounds.
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/plan/manifest_builder.h"
#include "framework/plan/manifest_prompts.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

std::string absolute_text(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

}  // namespace

const Json& ManifestBuilder::segmenter_of(const StudyEvaluation& evaluation, const Json& masks) const {
  const auto chosen = study_.encoders.find("segmenter");
  const std::string name = chosen == study_.encoders.end() ? masks.at("segmenter").get<std::string>() : chosen->second;
  std::string found;
  try {
    const Json& segmenter = sources_.models.encoder(resolved_model(name));
    const Json config = read_json_file(fs::path(segmenter.at("path").get<std::string>()) / "config.json");
    const Json type = config.value("model_type", Json());
    if (type == "clipseg") return segmenter;
    found = fmt::format("the model type {} of {}", type.dump(), name);
  } catch (const Error& error) {
    found = error.what();
  }
  throw Error({.where = place_of(evaluation) + ": masks",
               .found = found,
               .expected = "a segmenter: a folder with CLIPSeg as transformers writes it",
               .advice = "name it under `encoders: {segmenter: …}`"},
              ErrorKind::usage);
}

std::int64_t ManifestBuilder::picture_masks(const PlannedModel& model, const StudyEvaluation& evaluation,
                                            const MaskIngredients& in, const Json& segmenter,
                                            PlannedPictures& pictures) {
  Json content = common_job(model);
  content["base"] = content["plugin"] = nullptr;
  content["segmenter"] = segmenter;
  content["text"] = in.text;
  content["exif"] = in.exif;
  const Json identity{{"pictures", pictures.job}, {"segmenter", in.segmenter}, {"text", in.text}, {"exif", in.exif}};
  Json& masking = job(key_of({{"mask", identity}}), "mask", {pictures.job}, "", std::move(content));
  const Json& made = jobs_.at(static_cast<std::size_t>(pictures.job)).at("outputs");
  for (std::size_t i = 0; i < pictures.sets.size(); ++i) {
    const std::string images = pictures.sets[i].at("key").get<std::string>();
    Json description = mask_description(in, images);
    const std::string key = key_of(description);
    Json& outputs = masking.at("outputs");
    auto output = output_of(outputs, key);
    if (output == outputs.end()) {
      const auto source = std::ranges::find_if(made, [&](const Json& each) { return each.at("key") == images; });
      outputs.push_back({{"key", key},
                         {"description", std::move(description)},
                         {"prompt_id", pictures.sets[i].at("prompt_id")},
                         {"pictures", images},
                         {"count", source->at("seeds").size()}});
      output = std::prev(outputs.end());
    }
    serve(*output, evaluation.name);
    pictures.sets[i]["masks"] = key;
    pictures.described[i]["masks"] = key;
  }
  return masking.at("id").get<std::int64_t>();
}

std::int64_t ManifestBuilder::photo_masks(const PlannedModel& model, const std::string& subject,
                                          const StudyEvaluation& evaluation, MaskIngredients in, const Json& segmenter,
                                          const std::string& rule, Json& key) {
  Json photos = Json::array(), decisive = Json::array();
  bool asks = false;  // the segmenter, for one of them
  for (const ConceptPhoto& photo : concepts_.at(subject).photos) {
    const bool masked = !photo.mask.empty() && (rule == "auto" || rule == "files");
    if (rule == "files" && !masked) {
      throw Error({.where = place_of(evaluation) + ": photo_masks: files",
                   .found = fmt::format("the photo {} of {} without a mask", photo.name, subject),
                   .expected = "a mask for every photo",
                   .advice = "name it in concept.yaml (`photos: {NAME: {mask: FILE}}`), or leave photo_masks out"},
                  ErrorKind::usage);
    }
    asks = asks || (!masked && rule != "alpha");
    const Json digest = masked ? Json(sources_.digests.digest(photo.mask)) : Json();
    decisive.push_back({{"sha256", photo.sha256}, {"mask", digest}});
    photos.push_back({{"name", photo.name}, {"path", absolute_text(photo.path)}, {"sha256", photo.sha256}});
    if (masked) photos.back()["mask"] = {{"path", absolute_text(photo.mask)}, {"sha256", digest}};
  }
  if (!asks) in.segmenter = in.text = nullptr;
  Json description = photo_mask_description(in, rule, decisive);
  key = key_of(description);
  Json content = common_job(model);
  content["base"] = content["plugin"] = nullptr;
  content["method"] = "photos";
  content["options"] = Json::object();
  content["segmenter"] = asks ? segmenter : Json();
  content["text"] = in.text;
  content["exif"] = in.exif;
  content["rule"] = rule;
  Json& masking = job(key, "mask", {}, "", std::move(content));
  if (masking.at("outputs").empty()) {
    const std::size_t count = photos.size();
    masking["outputs"].push_back({{"key", key},
                                  {"description", std::move(description)},
                                  {"prompt_id", "photos"},
                                  {"photos", std::move(photos)},
                                  {"count", count}});
  }
  serve(masking["outputs"].front(), evaluation.name);
  return masking.at("id").get<std::int64_t>();
}

PlannedMasks ManifestBuilder::masks_for(const PlannedModel& model, const std::string& subject,
                                        const StudyEvaluation& evaluation, const Json& settings,
                                        PlannedPictures& pictures) {
  const Json& masks = settings.at("masks");
  const Json& segmenter = segmenter_of(evaluation, masks);
  const std::string rule = masks.at("photos").get<std::string>();
  const MaskIngredients in{
      .segmenter = segmenter.at("digest"),
      .text = filled(masks.at("text").get<std::string>(), model.subject.at("class_word").get<std::string>()),
      .exif = settings.at("scoring").at("image").value("exif", "apply"),
      .numerics_class = numerics_class_};
  PlannedMasks planned;
  planned.needs = {picture_masks(model, evaluation, in, segmenter, pictures),
                   photo_masks(model, subject, evaluation, in, segmenter, rule, planned.photos)};
  planned.record = masks;
  planned.record["segmenter"] = segmenter.at("digest");
  return planned;
}

}  // namespace atelier
