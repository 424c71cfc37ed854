#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/formats/lora_file.h"

namespace atelier {

/// What one tensor of a LoRA file is.
enum class LoraLeaf { down, up, alpha };

/// A key of a file, understood.
struct LoraKey {
  std::string component;
  std::string path;  ///< exists in the target
  LoraLeaf leaf = LoraLeaf::down;
};

/// The path under which a model knows a layer of a text encoder: recent transformers drop "text_model.". Other paths
/// and paths that the target has come back unchanged; nothing when the target lacks the layer.
[[nodiscard]] std::optional<std::string> resolve_path(const ModuleNames& target, const std::string& component,
                                                      const std::string& path);

/// "file: \"key\"" for messages.
[[nodiscard]] std::string place(const std::string& file, std::string_view key);

/// Throws Error listing up to 20 of the keys. Does nothing when there are none.
void refuse_unknown_keys(const std::string& file, const std::vector<std::string>& keys);

/// Throws Error when a key shows an adapter that is not down · up: DoRA, LoHa, LoKr, Tucker, biases and the like.
void refuse_other_adapters(const TensorFile& file);

/// Collects the halves of every layer and checks them against the target.
class LoraParts {
 public:
  /// `file` is what errors name. The target must outlive the object.
  LoraParts(std::string file, const ModuleNames& target) : file_(std::move(file)), target_(target) {}

  /// Throws Error when another key already gave the same part of the same layer.
  void add(const LoraKey& key, const std::string& name, const TensorView& view);
  [[nodiscard]] bool has_alphas() const { return has_alphas_; }

  /// Alpha of a layer for which the file holds no alpha tensor, from component, path and rank; nothing: the rank.
  using DefaultAlpha =
      std::function<std::optional<double>(const std::string& component, const std::string& path, std::int64_t rank)>;
  /// All layers, shapes brought to those of their weights. Throws Error for halves without the other one and for shapes
  /// that do not fit.
  [[nodiscard]] std::vector<LoraEntry> entries(const DefaultAlpha& default_alpha = {}) const;

 private:
  struct Part {
    std::string name;
    TensorView view;
  };
  struct Layer {
    std::optional<Part> down, up, alpha;
  };
  using Module = std::pair<std::string, std::string>;  // component, path

  [[nodiscard]] LoraEntry entry(const Module& module, const Layer& layer, const DefaultAlpha& default_alpha) const;
  [[nodiscard]] TensorView fit(const Part& part, const WeightShape& shape) const;

  std::string file_;
  const ModuleNames& target_;  // the caller's
  std::map<Module, Layer> layers_;
  bool has_alphas_ = false;
};

}  // namespace atelier
