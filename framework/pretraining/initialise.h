#pragma once

#include <map>
#include <memory>
#include <string>

#include "framework/pretraining/step_draws.h"
#include "framework/tensor/weights.h"

namespace atelier {

/// Which published start a network takes.
enum class InitScheme {
  torch,  ///< PyTorch's defaults: matrices, kernels and their biases uniform in ±1/√fan_in; norms 1 and 0
  unet,   ///< these, but 0 for what ends a residual branch (resnets' conv2, transformers' proj_out) and for conv_out:
          ///< Dhariwal & Nichol 2021, and the code that Stable Diffusion was trained with. diffusers alone would start
          ///< at PyTorch's defaults, because it loads trained weights.
  clip,   ///< Radford et al. 2021 as its authors published it, for both towers: normal, scaled by width and depth
};

/// Makes the initial tensors of a network, float32 on the device. Each depends on the draws' seed and component, on its
/// name and its shape, and on nothing else.
class Initialiser {
 public:
  /// `layers`: depth of the towers, for InitScheme::clip.
  Initialiser(InitScheme scheme, std::uint64_t seed, std::int64_t component, c10::Device device,
              std::int64_t layers = 1);

  /// A bias must be asked for after the weight of its layer, as every layer does.
  [[nodiscard]] Tensor make(const std::string& name, at::IntArrayRef shape);
  /// make(), to build a network with. Borrows this object.
  [[nodiscard]] WeightMaker maker();

 private:
  [[nodiscard]] Tensor value(const std::string& name, at::IntArrayRef shape);
  [[nodiscard]] Tensor clip_value(const std::string& name, at::IntArrayRef shape) const;
  [[nodiscard]] Tensor uniform(const std::string& name, at::IntArrayRef shape, double bound) const;
  [[nodiscard]] Tensor normal(const std::string& name, at::IntArrayRef shape, double deviation) const;

  InitScheme scheme_;
  StepDraws draws_;
  c10::Device device_;
  std::int64_t layers_;
  std::map<std::string, std::int64_t> fan_in_;  // by layer
};

}  // namespace atelier
