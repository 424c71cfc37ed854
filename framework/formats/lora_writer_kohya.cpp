#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/formats/kohya_names.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer.h"
#include "framework/formats/lora_writer_parts.h"

namespace atelier {
namespace {

using Metadata = std::map<std::string, std::string>;

std::string base_model_version(const KohyaInfo& info) {
  if (info.family == Family::sdxl) return "sdxl_base_v1-0";
  if (info.family == Family::sd2) return info.v_prediction ? "sd_v2_v" : "sd_v2";
  return "sd_1.5";
}

std::string architecture(const KohyaInfo& info) {
  if (info.family == Family::sdxl) return "stable-diffusion-xl-v1-base/lora";
  if (info.family == Family::sd2)
    return info.v_prediction ? "stable-diffusion-v2-768-v/lora" : "stable-diffusion-v2-512/lora";
  return "stable-diffusion-v1/lora";
}

/// The number that all entries share; sd-scripts writes "Dynamic" where they differ.
std::string common(const std::set<double>& values) {
  return values.size() == 1 ? json_number(*values.begin()).dump() : "Dynamic";
}

Metadata kohya_metadata(const std::vector<LoraEntry>& entries, const KohyaInfo& info) {
  std::set<double> ranks;
  std::set<double> alphas;
  for (const auto& entry : entries) {
    ranks.insert(static_cast<double>(entry.rank));
    alphas.insert(entry.alpha);
  }
  Metadata metadata = {{"format", "pt"},
                       {"ss_network_module", "networks.lora"},
                       {"ss_network_dim", common(ranks)},
                       {"ss_network_alpha", common(alphas)},
                       {"ss_base_model_version", base_model_version(info)},
                       {"ss_v2", info.family == Family::sd2 ? "True" : "False"},
                       {"modelspec.sai_model_spec", "1.0.0"},
                       {"modelspec.architecture", architecture(info)},
                       {"modelspec.prediction_type", info.v_prediction ? "v" : "epsilon"}};
  const Metadata more = {{"ss_learning_rate", info.learning_rate},
                         {"ss_steps", info.steps},
                         {"ss_seed", info.seed},
                         {"ss_output_name", info.title},
                         {"modelspec.title", info.title}};
  for (const auto& [key, value] : more) {
    if (!value.empty()) metadata.emplace(key, value);
  }
  return metadata;
}

/// The first of the types that holds alpha as it is: the matrices', where it does.
TensorView alpha_view(const LoraEntry& entry) {
  for (const auto dtype : {entry.down.dtype, Dtype::f32}) {
    auto view = make_view({entry.alpha}, {}, dtype);
    if (scalar_of(view, entry.module) == entry.alpha) return view;
  }
  return make_view({entry.alpha}, {}, Dtype::f64);
}

}  // namespace

TensorSet kohya_lora(const std::vector<LoraEntry>& entries, const ModuleNames& target, const KohyaInfo& info) {
  const bool sdxl = info.family == Family::sdxl;
  const auto unet = target.components().find("unet");
  const auto sgm = sdxl && unet != target.components().end() ? sgm_names(unet->second) : NameMap{};
  TensorSet set{.tensors = {}, .metadata = kohya_metadata(entries, info)};
  for (const auto& entry : entries) {
    const auto [component, path] = split_module(entry.module);
    if (target.find(component, path) == nullptr) {
      throw Error({.where = entry.module, .found = "no such layer in the model", .expected = "layers of the target"});
    }
    const auto name = kohya_name(component, path, sdxl ? &sgm : nullptr, sdxl);
    set.tensors.emplace(name + ".lora_down.weight", contiguous(entry.down));
    set.tensors.emplace(name + ".lora_up.weight", contiguous(entry.up));
    set.tensors.emplace(name + ".alpha", alpha_view(entry));
  }
  return set;
}

}  // namespace atelier
