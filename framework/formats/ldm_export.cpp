#include "framework/formats/ldm_export.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/error.h"
#include "framework/files/quote.h"
#include "framework/formats/ldm_names.h"
#include "framework/formats/view_ops.h"

namespace atelier {
namespace {

[[noreturn]] void fail_name(const std::string& where, const std::string& name) {
  throw Error({.where = where,
               .found = "the tensor " + quote(name),
               .expected = "only tensors that the layout of the original code has a place for"});
}

std::string section_prefix(Family family, const std::string& component, const std::string& where) {
  if (component == "unet") return "model.diffusion_model.";
  if (component == "vae") return "first_stage_model.";
  if (component == "text_encoder" && family == Family::sd1) return "cond_stage_model.transformer.";
  if (component == "text_encoder" && family == Family::sd2) return "cond_stage_model.model.";
  if (component == "text_encoder" && family == Family::sdxl) return "conditioner.embedders.0.transformer.";
  if (component == "text_encoder_2" && family == Family::sdxl) return "conditioner.embedders.1.model.";
  throw Error({.where = where,
               .found = fmt::format("{} of {}", component, family_name(family)),
               .expected = "a component that single files hold"});
}

/// Query, key and value, one below the other.
TensorView stacked(const std::array<const TensorView*, 3>& parts, const std::string& where) {
  auto bytes = std::make_shared<std::string>();
  for (const auto* part : parts) {
    const bool fits = part != nullptr && part->dtype == parts[0]->dtype && part->shape == parts[0]->shape &&
                      !part->shape.empty() && part->strides.empty();
    if (!fits) {
      throw Error({.where = where,
                   .found = part == nullptr ? "a part is missing" : describe(*part),
                   .expected = "query, key and value of one shape and type"});
    }
    bytes->append(reinterpret_cast<const char*>(part->bytes.data()), part->bytes.size());
  }
  TensorView result = *parts[0];
  result.shape[0] *= 3;
  result.bytes = std::as_bytes(std::span(*bytes));
  result.owner = bytes;
  return result;
}

Tensors by_map(const NameMap& names, const Tensors& tensors, const std::string& where) {
  Tensors out;
  for (const auto& [name, view] : tensors) {
    const auto target = names.to_ldm(name);
    if (!target) fail_name(where, name);
    out[*target] = view;
    if (is_vae_attention(name) && view.shape.size() == 2) {
      out[*target].shape.resize(4, 1);
      if (!view.strides.empty()) out[*target].strides.resize(4, 1);
    }
  }
  return out;
}

Tensors open_clip(const Tensors& tensors, const std::string& where) {
  Tensors out;
  std::map<std::string, std::array<const TensorView*, 3>> in_proj;
  for (const auto& [name, view] : tensors) {
    const auto target = open_clip_name(name);
    if (!target) fail_name(where, name);
    if (target->third >= 0) {
      in_proj[target->name][static_cast<std::size_t>(target->third)] = &view;
    } else {
      out[target->name] = target->transposed ? transposed(view, where + ": " + quote(name)) : view;
    }
  }
  for (const auto& [name, parts] : in_proj) out[name] = stacked(parts, where + ": " + quote(name));
  return out;
}

}  // namespace

Tensors to_ldm(Family family, const std::string& component, const Tensors& tensors, const Json& config,
               const std::string& where) {
  const auto prefix = section_prefix(family, component, where);
  Tensors section;
  if (component == "unet") {
    section = by_map(unet_names(config, where), tensors, where);
  } else if (component == "vae") {
    section = by_map(vae_names(config, where), tensors, where);
  } else if (prefix.ends_with(".transformer.")) {
    section = tensors;
  } else {
    section = open_clip(tensors, where);
  }
  Tensors out;
  for (auto& [name, view] : section) out.emplace(prefix + name, std::move(view));
  return out;
}

}  // namespace atelier
