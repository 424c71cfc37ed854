#include "framework/formats/metric_networks.h"

#include <nlohmann/json.hpp>

namespace atelier {
namespace {

/// "net.slice3.6.weight" -> "features.6.weight": the package cuts torchvision's list, and keeps its numbers.
std::string trunk_name(const std::string& name) {
  constexpr std::string_view kSlice = "net.slice";
  if (!name.starts_with(kSlice)) return name;
  const auto dot = name.find('.', kSlice.size());
  return dot == std::string::npos ? name : "features" + name.substr(dot);
}

bool is_left_out(const std::string& name) {
  return name.starts_with("classifier.") || name.starts_with("lins.") || name.starts_with("scaling_layer.");
}

}  // namespace

bool is_inception(const TensorFile& file) { return file.tensors.contains("Mixed_5b.branch1x1.conv.weight"); }

EncoderSource read_inception(TensorFile file) {
  return {.config = {{"model_type", "inception_v3"}}, .weights = std::move(file)};
}

bool is_lpips(const TensorFile& file) {
  const auto has = [&](const char* name) { return file.tensors.contains(name); };
  return has("lin0.model.1.weight") && (has("features.0.weight") || has("net.slice1.0.weight"));
}

EncoderSource read_lpips(TensorFile file) {
  TensorFile weights{.path = file.path, .tensors = {}, .metadata = std::move(file.metadata)};
  for (auto& [name, view] : file.tensors) {
    if (!is_left_out(name)) weights.tensors.emplace(trunk_name(name), std::move(view));
  }
  return {.config = {{"model_type", "lpips"}}, .weights = std::move(weights)};
}

TensorFile joined(TensorFile first, TensorFile second) {
  first.tensors.merge(second.tensors);
  first.path += " and " + second.path;
  return first;
}

}  // namespace atelier
