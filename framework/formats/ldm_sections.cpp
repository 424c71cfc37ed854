#include "framework/formats/ldm_sections.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/quote.h"
#include "framework/formats/ldm_names.h"
#include "framework/formats/view_ops.h"

namespace atelier {
namespace {

constexpr std::size_t kListedNames = 20;

void put(Tensors& out, const std::string& name, TensorView view, const std::string& where) {
  if (!out.emplace(name, std::move(view)).second) {
    throw Error({.where = where, .found = "two tensors that both become " + quote(name), .expected = "one"});
  }
}

bool has_projection(const Json& config) {
  const auto found = config.find("architectures");
  return found != config.end() && found->is_array() && !found->empty() &&
         found->front() == "CLIPTextModelWithProjection";
}

/// Some programs save CLIP's projection beside an encoder that has none.
bool lacks_projection(const Json& config) {
  const auto found = config.find("architectures");
  return found != config.end() && found->is_array() && !found->empty() && found->front() == "CLIPTextModel";
}

/// Splits one tensor of an OpenCLIP tower; false when it has no place in the model.
bool put_open_clip(Tensors& out, const std::string& name, const TensorView& view, const std::string& where) {
  if (!is_in_proj(name)) {
    const auto target = transformers_name(name, -1);
    if (target)
      put(out, *target, name == "text_projection" ? transposed(view, where + ": " + quote(name)) : view, where);
    return target.has_value();
  }
  for (int third = 0; third < 3; ++third) {
    put(out, *transformers_name(name, third), part_of_rows(view, third, 3, where + ": " + quote(name)), where);
  }
  return true;
}

}  // namespace

void refuse_unexpected(const std::vector<std::string>& names, const std::string& where) {
  if (names.empty()) return;
  std::vector<std::string> quoted;
  for (std::size_t i = 0; i < std::min(names.size(), kListedNames); ++i) quoted.push_back(quote(names[i]));
  const auto rest = names.size() > kListedNames ? fmt::format(" and {} more", names.size() - kListedNames) : "";
  throw Error({.where = where,
               .found = fmt::format("unexpected tensors: {}{}", join(quoted), rest),
               .expected = "only tensors that the model has",
               .advice = "give the configuration that belongs to the file with --model-config"});
}

Tensors unet_from_ldm(const Tensors& section, const Json& config, const std::string& where) {
  const auto names = unet_names(config, where);
  Tensors out;
  std::vector<std::string> unexpected;
  for (const auto& [name, view] : section) {
    const auto target = names.to_diffusers(name);
    if (!target) {
      unexpected.push_back(name);
    } else {
      put(out, *target, view, where);
    }
  }
  refuse_unexpected(unexpected, where);
  return out;
}

Tensors vae_from_ldm(const Tensors& section, const Json& config, const std::string& where) {
  const auto names = vae_names(config, where);
  Tensors out;
  std::vector<std::string> unexpected;
  for (const auto& [name, view] : section) {
    if (name.starts_with("loss.") || name.starts_with("model_ema.")) continue;
    const auto target = names.to_diffusers(name);
    if (!target) {
      unexpected.push_back(name);
    } else {
      put(out, *target, is_vae_attention(*target) ? without_trailing_ones(view) : view, where);
    }
  }
  refuse_unexpected(unexpected, where);
  return out;
}

Tensors clip_from_ldm(const Tensors& section, const Json& config, const std::string& where) {
  Tensors out;
  std::vector<std::string> unexpected;
  for (const auto& [name, view] : section) {
    const bool has_level = name.starts_with("text_model.");
    const auto rest = has_level ? std::string_view(name).substr(11) : std::string_view(name);
    if (rest == "embeddings.position_ids" || rest == "logit_scale") continue;
    if (rest == "text_projection.weight") {
      if (!has_level && !lacks_projection(config)) put(out, name, view, where);
    } else if (rest.starts_with("embeddings.") || rest.starts_with("encoder.") ||
               rest.starts_with("final_layer_norm.")) {
      put(out, fmt::format("text_model.{}", rest), view, where);
    } else {
      unexpected.push_back(name);
    }
  }
  refuse_unexpected(unexpected, where);
  return out;
}

Tensors text_from_open_clip(const Tensors& section, const Json& config, const std::string& where) {
  const auto layers = config.find("num_hidden_layers");
  if (layers == config.end() || !layers->is_number_unsigned()) {
    throw Error({.where = where, .found = "no usable num_hidden_layers in the configuration", .expected = "a number"});
  }
  const auto unused_layer = fmt::format("transformer.resblocks.{}.", layers->get<std::uint64_t>());
  Tensors out;
  std::vector<std::string> unexpected;
  for (const auto& [name, view] : section) {
    if (name == "logit_scale" || name == "attn_mask" || name.starts_with(unused_layer)) continue;
    if (name == "text_projection" && !has_projection(config)) continue;
    if (!put_open_clip(out, name, view, where)) unexpected.push_back(name);
  }
  refuse_unexpected(unexpected, where);
  return out;
}

}  // namespace atelier
