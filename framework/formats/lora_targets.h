#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

/// The shape of a layer's weight: [out, in] for a linear one, [out, in, k, k] for a convolution.
using WeightShape = std::vector<std::int64_t>;
/// Weight shapes by path, e.g. "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q" (diffusers and transformers
/// names, text models with "text_model.").
using Modules = std::map<std::string, WeightShape>;

/// Every linear and convolution layer of the model that a personalization file is meant for. Files with ambiguous or no
/// names (kohya, cloneofsimo) can only be read forward from it, so it has to be complete.
class ModuleNames {
 public:
  /// Takes one parameter of `component` ("unet", "text_encoder", "text_encoder_2") by its name ("….to_q.weight").
  /// Biases, norms and embedding tables are passed over.
  void add(const std::string& component, std::string_view parameter, std::span<const std::int64_t> shape);
  /// The same for all tensors of a component's weight file.
  void add_all(const std::string& component, const std::map<std::string, TensorView>& tensors);

  /// The weight's shape; nullptr when the component has no such layer. Valid as long as the object is not changed.
  [[nodiscard]] const WeightShape* find(const std::string& component, const std::string& path) const;
  [[nodiscard]] const std::map<std::string, Modules>& components() const { return components_; }

 private:
  std::map<std::string, Modules> components_;
};

}  // namespace atelier
