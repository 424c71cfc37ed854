#include "framework/formats/component_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/quote.h"
#include "framework/files/weights_index.h"
#include "framework/formats/ldm_names.h"
#include "framework/formats/view_ops.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// diffusers signs its configs; what is not signed comes from transformers.
std::string base_name(const Json& config) {
  return config.contains("_diffusers_version") || config.contains("_class_name") ? "diffusion_pytorch_model" : "model";
}

bool is_ignored(const std::string& name) { return name.ends_with("embeddings.position_ids") || name == "logit_scale"; }

}  // namespace

ComponentFolder ComponentFolder::open(const fs::path& folder) {
  const auto path = folder / "config.json";
  if (!fs::is_regular_file(path)) {
    throw Error({.where = path.string(),
                 .found = fs::is_directory(folder) ? "no such file" : "no such folder",
                 .expected = "the configuration of a model"});
  }
  ComponentFolder component;
  component.path_ = folder;
  component.config_ = std::make_shared<const Json>(read_python_json_file(path));
  if (!component.config_->is_object()) {
    throw Error({.where = path.string(), .found = "no object", .expected = "the configuration of a model"});
  }
  return component;
}

std::vector<fs::path> ComponentFolder::weight_files(const WeightChoice& choice) const {
  auto found = find_weights(path_, base_name(*config_), choice.variant, choice.allow_pickle);
  if (!found.sharded) return {found.path};
  found.shards.push_back(found.path);
  std::sort(found.shards.begin(), found.shards.end());
  return found.shards;
}

TensorFile ComponentFolder::weights(const WeightChoice& choice) const {
  return with_present_names(read_weights(path_, base_name(*config_), choice.variant, choice.allow_pickle), *config_);
}

TensorFile with_present_names(TensorFile file, const Json& config) {
  const auto type = config.find("_class_name");
  const bool is_vae = type != config.end() && *type == "AutoencoderKL";
  std::map<std::string, TensorView> tensors;
  for (auto& [name, view] : file.tensors) {
    if (is_ignored(name)) continue;
    const auto present = is_vae ? modern_vae_name(name) : name;
    if (is_vae && is_vae_attention(present)) view = without_trailing_ones(view);
    if (!tensors.emplace(present, std::move(view)).second) {
      throw Error({.where = file.path, .found = "two tensors that both become " + quote(present), .expected = "one"});
    }
  }
  file.tensors = std::move(tensors);
  return file;
}

}  // namespace atelier
