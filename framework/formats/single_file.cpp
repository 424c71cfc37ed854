#include "framework/formats/single_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/quote.h"
#include "framework/formats/ldm_names.h"

namespace atelier {
namespace {

constexpr std::string_view kUNet = "model.diffusion_model.";
constexpr std::string_view kVae = "first_stage_model.";
constexpr std::string_view kClip = "cond_stage_model.transformer.";
constexpr std::string_view kOpenClip = "cond_stage_model.model.";
constexpr std::string_view kSdxlClip = "conditioner.embedders.0.transformer.";
constexpr std::string_view kSdxlOpenClip = "conditioner.embedders.1.model.";
constexpr std::string_view kRefinerOpenClip = "conditioner.embedders.0.model.";

/// Marks that trainers leave: empty tensors.
constexpr std::string_view kVelocity = "v_pred";
constexpr std::string_view kZeroSnr = "ztsnr";

/// Training state, what no encoder here reads, marks, and schedule tables, which the scheduler's config says better.
constexpr std::array<std::string_view, 20> kIgnored = {"model_ema.",
                                                       "betas",
                                                       "alphas_cumprod",
                                                       "sqrt_",
                                                       "posterior_",
                                                       "log_one_minus_",
                                                       "logvar",
                                                       "denoiser.",
                                                       "lvlb_",
                                                       "scale_factor",
                                                       "global_step",
                                                       "epoch",
                                                       "cond_stage_model.logit_scale",
                                                       "cond_stage_model.attn_mask",
                                                       "cond_stage_model.text_projection",
                                                       "conditioner.embedders.0.logit_scale",
                                                       "conditioner.embedders.1.logit_scale",
                                                       "conditioner.embedders.0.text_projection",
                                                       kVelocity,
                                                       kZeroSnr};

bool is_ignored(std::string_view name) {
  return std::any_of(kIgnored.begin(), kIgnored.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

SingleFile::SingleFile(TensorFile file) : file_(std::move(file)) {
  if (!has_prefix(kUNet)) {
    throw Error({.where = file_.path,
                 .found = fmt::format("no tensor under \"{}\"", kUNet),
                 .expected = "a Stable Diffusion checkpoint in the LDM or sgm layout",
                 .advice = "for a pipeline folder give the folder that holds model_index.json"});
  }
  refuse_other_models();
  choose_sections();
  check_names();
}

bool SingleFile::has_prefix(std::string_view prefix) const {
  const auto first = file_.tensors.lower_bound(std::string(prefix));
  return first != file_.tensors.end() && first->first.starts_with(prefix);
}

void SingleFile::refuse_other_models() const {
  const auto refuse = [&](const std::string& found) {
    throw Error(
        {.where = file_.path, .found = found, .expected = "a text-to-image base model (SD 1.x, SD 2.x or SDXL)"});
  };
  const auto first = file_.tensors.find(std::string(kUNet) + "input_blocks.0.0.weight");
  if (first != file_.tensors.end() && first->second.shape.size() == 4) {
    const auto channels = first->second.shape[1];
    if (channels == 9) refuse("an inpainting model (9 input channels)");
    if (channels == 8) refuse("an image-to-image editing model (8 input channels)");
  }
  struct Mark {
    std::string prefix;
    const char* model;
  };
  const std::string unet(kUNet);
  for (const auto& [prefix, model] :
       {Mark{std::string(kRefinerOpenClip), "the SDXL refiner"}, Mark{"control_model.", "a ControlNet"},
        Mark{"edm_mean", "Playground 2.5, whose noise process is another one (EDM)"},
        Mark{unet + "joint_blocks.", "Stable Diffusion 3"}, Mark{unet + "double_blocks.", "FLUX"},
        Mark{unet + "time_embed.cond_proj.", "a model distilled with an embedding of the guidance (LCM)"}}) {
    if (has_prefix(prefix)) refuse(model);
  }
}

void SingleFile::choose_sections() {
  sections_ = {{"unet", kUNet, Dialect::unet}, {"vae", kVae, Dialect::vae}};
  if (has_prefix(kSdxlOpenClip) || has_prefix(kSdxlClip)) {
    family_ = Family::sdxl;
    sections_.push_back({"text_encoder", kSdxlClip, Dialect::clip});
    sections_.push_back({"text_encoder_2", kSdxlOpenClip, Dialect::open_clip});
  } else if (has_prefix(kOpenClip)) {
    family_ = Family::sd2;
    sections_.push_back({"text_encoder", kOpenClip, Dialect::open_clip});
  } else if (has_prefix(kClip)) {
    family_ = Family::sd1;
    sections_.push_back({"text_encoder", kClip, Dialect::clip});
  } else {
    family_ = family_by_width();
  }
  std::erase_if(sections_, [&](const Section& section) { return !has_prefix(section.prefix); });
}

void SingleFile::check_names() const {
  std::vector<std::string> unexpected;
  for (const auto& entry : file_.tensors) {
    const std::string_view name = entry.first;
    const bool is_known =
        is_ignored(name) || std::any_of(sections_.begin(), sections_.end(),
                                        [&](const Section& section) { return name.starts_with(section.prefix); });
    if (!is_known) unexpected.emplace_back(name);
  }
  refuse_unexpected(unexpected, file_.path);
}

Json SingleFile::scheduler_marks() const {
  Json marks = Json::object();
  if (file_.tensors.contains(std::string(kVelocity))) marks["prediction_type"] = "v_prediction";
  if (file_.tensors.contains(std::string(kZeroSnr))) {
    marks.update({{"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}});
  }
  return marks;
}

std::int64_t SingleFile::cross_attention_width() const {
  constexpr std::string_view kLeaf = ".transformer_blocks.0.attn2.to_k.weight";
  for (auto it = file_.tensors.lower_bound(std::string(kUNet)); it != file_.tensors.end(); ++it) {
    if (!it->first.starts_with(kUNet)) break;
    if (it->first.ends_with(kLeaf) && it->second.shape.size() == 2) return it->second.shape[1];
  }
  return 0;
}

Family SingleFile::family_by_width() const {
  switch (cross_attention_width()) {
    case 768:
      return Family::sd1;
    case 1024:
      return Family::sd2;
    case 2048:
      return Family::sdxl;
    default:
      return Family::other;
  }
}

bool SingleFile::has_published_sizes() const {
  const auto first = file_.tensors.find(std::string(kUNet) + "input_blocks.0.0.weight");
  return family_ != Family::other && family_by_width() == family_ && first != file_.tensors.end() &&
         first->second.shape == std::vector<std::int64_t>{320, 4, 3, 3};
}

bool SingleFile::has(std::string_view component) const {
  return std::any_of(sections_.begin(), sections_.end(), [&](const Section& s) { return s.component == component; });
}

Tensors SingleFile::section_tensors(const Section& section, bool use_ema) const {
  Tensors out;
  std::vector<std::string> missing;
  for (auto it = file_.tensors.lower_bound(std::string(section.prefix)); it != file_.tensors.end(); ++it) {
    if (!it->first.starts_with(section.prefix)) break;
    const auto name = it->first.substr(section.prefix.size());
    auto source = it;
    if (use_ema && section.dialect == Dialect::unet) source = file_.tensors.find(ema_name(name));
    if (source == file_.tensors.end()) {
      missing.push_back(quote(ema_name(name)));
    } else {
      out.emplace(name, source->second);
    }
  }
  if (!missing.empty()) {
    throw Error({.where = file_.path,
                 .found = fmt::format("{} averaged tensors missing, the first {}", missing.size(), missing.front()),
                 .expected = "an exponential moving average of every UNet tensor",
                 .advice = "load it without --use-ema"});
  }
  return out;
}

TensorFile SingleFile::weights(std::string_view component, const Json& config, bool use_ema) const {
  const auto section = std::find_if(sections_.begin(), sections_.end(),
                                    [&](const Section& candidate) { return candidate.component == component; });
  if (section == sections_.end()) {
    throw Error({.where = file_.path, .found = fmt::format("no {}", component), .expected = "a file that holds it"});
  }
  const auto where = fmt::format("{} ({})", file_.path, component);
  const auto tensors = section_tensors(*section, use_ema);
  TensorFile out{.path = where, .tensors = {}, .metadata = file_.metadata};
  switch (section->dialect) {
    case Dialect::unet:
      out.tensors = unet_from_ldm(tensors, config, where);
      break;
    case Dialect::vae:
      out.tensors = vae_from_ldm(tensors, config, where);
      break;
    case Dialect::clip:
      out.tensors = clip_from_ldm(tensors, config, where);
      break;
    case Dialect::open_clip:
      out.tensors = text_from_open_clip(tensors, config, where);
      break;
  }
  return out;
}

}  // namespace atelier
