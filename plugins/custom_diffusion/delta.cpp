#include "plugins/custom_diffusion/delta.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/ldm_names.h"
#include "framework/methods/learned_token.h"

namespace atelier::custom_diffusion {
namespace {

constexpr std::string_view kState = "state_dict.";
constexpr std::string_view kDeltaUnet = "state_dict.model.diffusion_model.";
constexpr std::string_view kCrossAttention = ".attn2.";
constexpr std::string_view kEmbed = "embed";
constexpr std::string_view kLayerWeight = ".weight";

bool has_below(const Modules& modules, const std::string& prefix) {
  const auto found = modules.lower_bound(prefix);
  return found != modules.end() && found->first.starts_with(prefix);
}

/// Blocks and layers of the base's UNet as its config says them.
Json layout_of(const Modules& unet) {
  Json config{
      {"down_block_types", Json::array()}, {"up_block_types", Json::array()}, {"layers_per_block", Json::array()}};
  for (int block = 0;; ++block) {
    const auto down = fmt::format("down_blocks.{}.", block), up = fmt::format("up_blocks.{}.", block);
    if (!has_below(unet, down)) return config;
    config["down_block_types"].push_back(has_below(unet, down + "attentions.") ? "CrossAttnDownBlock2D"
                                                                               : "DownBlock2D");
    config["up_block_types"].push_back(has_below(unet, up + "attentions.") ? "CrossAttnUpBlock2D" : "UpBlock2D");
    int layers = 0;
    while (has_below(unet, fmt::format("{}resnets.{}.", down, layers))) ++layers;
    config["layers_per_block"].push_back(layers);
  }
}

/// One file of the authors' program.
class Delta {
 public:
  Delta(const ForeignArtifact& foreign, const std::string& name)
      : foreign_(foreign), where_(foreign.files.place(name).string()), file_(foreign.files.whole(name).tensors) {}

  TensorMap read() {
    if (!is_delta()) return {};
    add_weights();
    check_complete();
    add_tokens();
    return std::move(result_);
  }

 private:
  /// Cross-attention alone: a whole checkpoint has much more below the UNet.
  bool is_delta() const {
    bool cross = false;
    for (const auto& [key, tensor] : file_) {
      if (!key.starts_with(kDeltaUnet)) continue;
      if (key.find(kCrossAttention) == std::string::npos) return false;
      cross = true;
    }
    return cross;
  }

  [[noreturn]] void refuse(const std::string& key, std::string found, std::string expected,
                           std::string advice = {}) const {
    throw Error({.where = where_ + ": " + key,
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = std::move(advice)});
  }

  void add_weights() {
    const auto names = unet_names(layout_of(foreign_.target.components().at("unet")), "the base model's UNet");
    for (const auto& [key, tensor] : file_) {
      if (!key.starts_with(kDeltaUnet)) continue;
      if (key.ends_with(".weight.u") || key.ends_with(".weight.v")) {
        refuse(
            key, "a compressed delta", "whole weights",
            "its weights are those of the base it was made on plus u @ v: save them whole with the authors' program");
      }
      const auto name = names.to_diffusers(key.substr(kDeltaUnet.size()));
      const auto layer = name ? layer_of(*name) : "";
      const auto* shape = foreign_.target.find("unet", layer);
      if (shape == nullptr) {
        refuse(key, "a layer that the base model does not have", "its cross-attention's layers",
               "give the kind of base model that the file was made for");
      }
      const auto expected = name->ends_with(".bias") ? WeightShape{shape->front()} : *shape;
      if (tensor.sizes() != at::IntArrayRef(expected)) {
        refuse(key, describe(tensor.sizes(), tensor.scalar_type()),
               describe(at::IntArrayRef(expected), tensor.scalar_type()),
               "give the kind of base model that the file was made for");
      }
      result_["unet." + *name] = tensor;
    }
  }

  static std::string layer_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); }

  void check_complete() const {
    std::vector<std::string> missing;
    for (const auto& [layer, shape] : foreign_.target.components().at("unet")) {
      const bool learned = layer.ends_with(".attn2.to_k") || layer.ends_with(".attn2.to_v");
      const auto parameter = "unet." + layer + std::string(kLayerWeight);
      if (learned && !result_.contains(parameter)) missing.push_back(layer);
    }
    if (missing.empty()) return;
    throw Error({.where = where_,
                 .found = fmt::format("no weights of {} layers: {}", missing.size(), join(missing, ", ", 5)),
                 .expected = "keys and values of every cross-attention of the base model",
                 .advice = "give the kind of base model that the file was made for"});
  }

  std::int64_t text_width() const {
    const auto* shape = foreign_.target.find("text_encoder", "text_model.encoder.layers.0.self_attn.k_proj");
    return shape == nullptr ? 0 : shape->front();
  }

  void add_token(const std::string& key, const std::string& token, const Tensor& vector) {
    const auto width = text_width();
    if (vector.numel() != width) {
      refuse(key, describe(vector.sizes(), vector.scalar_type()), fmt::format("a vector of {} numbers", width),
             "give the kind of base model that the file was made for");
    }
    result_[token_parameter("text_encoder", token)] = vector.reshape(-1);
  }

  void add_tokens() {
    const auto inner = std::string(kState) + std::string(kEmbed), named = std::string(kEmbed) + ".";
    for (const auto& [key, tensor] : file_) {
      if (key.starts_with(named)) add_token(key, key.substr(named.size()), tensor);
      if (key == kEmbed || key == inner) add_rows(key, tensor);
    }
  }

  void add_rows(const std::string& key, const Tensor& rows) {
    const auto width = text_width();
    if (width == 0 || rows.numel() == 0 || rows.numel() % width != 0 || (rows.dim() > 1 && rows.size(-1) != width)) {
      refuse(key, describe(rows.sizes(), rows.scalar_type()), fmt::format("[n, {}]", width),
             "give the kind of base model that the file was made for");
    }
    const Tensor vectors = rows.reshape({-1, width});
    const auto names = token_names(vectors.size(0));
    for (std::int64_t i = 0; i < vectors.size(0); ++i) add_token(key, names[static_cast<std::size_t>(i)], vectors[i]);
  }

  std::vector<std::string> token_names(std::int64_t count) const {
    std::vector<std::string> names;
    if (foreign_.placeholder.empty()) {
      for (std::int64_t i = 1; i <= count; ++i) names.push_back(fmt::format("<new{}>", i));
      return names;
    }
    for (std::size_t begin = 0; begin <= foreign_.placeholder.size();) {
      const auto end = std::min(foreign_.placeholder.find('+', begin), foreign_.placeholder.size());
      names.push_back(foreign_.placeholder.substr(begin, end - begin));
      begin = end + 1;
    }
    if (static_cast<std::int64_t>(names.size()) == count && std::ranges::count(names, "") == 0) return names;
    throw Error({.where = "--placeholder",
                 .found = "\"" + foreign_.placeholder + "\"",
                 .expected = fmt::format("{} names with + between them, one for each vector of {}", count, where_)},
                ErrorKind::usage);
  }

  const ForeignArtifact& foreign_;  // outlives this
  std::string where_;
  TensorMap file_, result_;
};

}  // namespace

TensorMap read_delta(const ForeignArtifact& foreign, const std::string& name) { return Delta(foreign, name).read(); }

bool is_delta_name(const std::string& name) {
  return name.starts_with("delta") && name.ends_with(".ckpt") && name.find('/') == std::string::npos;
}

}  // namespace atelier::custom_diffusion
