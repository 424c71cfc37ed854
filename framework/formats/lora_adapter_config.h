#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// What PEFT's LoraConfig says about the scale of each layer.
class LoraAdapterConfig {
 public:
  /// Reads `r`, `lora_alpha`, `rank_pattern`, `alpha_pattern` and `use_rslora`; `prefix` ("unet.", "") stands before
  /// each of these keys. Throws Error (`where`) for values of the wrong type, for DoRA and other variants of LoRA, and
  /// for patterns that are more than a layer's name.
  LoraAdapterConfig(const Json& json, const std::string& prefix, const std::string& where);

  /// Alpha such that alpha / rank is the layer's scale; nothing when the config names no alpha. Throws Error when the
  /// config gives the layer another rank.
  [[nodiscard]] std::optional<double> alpha(const std::string& path, std::int64_t rank) const;

 private:
  using Patterns = std::vector<std::pair<std::string, double>>;  // as PEFT tries them

  [[nodiscard]] std::optional<double> number(const Json& json, const std::string& key) const;
  [[nodiscard]] Patterns patterns(const Json& json, const std::string& key) const;

  std::string where_;
  std::optional<double> rank_;
  std::optional<double> alpha_;
  Patterns rank_pattern_;
  Patterns alpha_pattern_;
  bool root_scale_ = false;  // scale is alpha / √rank
};

}  // namespace atelier
