#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/models/image_encoder.h"

namespace atelier {

/// LPIPS 0.1 (Zhang et al. 2018, arXiv:1801.03924) on AlexNet or VGG16: the distance of two pictures is
///   sum over five layers of the mean over places of sum over channels of w (f(a) − f(b))²,
/// f scaled to length 1 over its channels. So it is the squared Euclidean distance of the vectors that features()
/// gives.
class Lpips final : public ImageEncoder {
 public:
  /// Trunk tensors as torchvision names them (`features.0.weight`), the layers' weights as `lin0.model.1.weight`; which
  /// trunk it is, its first convolution tells. Throws Error for tensors that are missing, mis-shaped or unexpected, and
  /// for a negative weight.
  explicit Lpips(Weights weights);

  /// pixel_values [B, 3, H, W] in [-1, 1] -> [B, F]; F grows with H·W.
  [[nodiscard]] Tensor features(const Tensor& pixel_values) const override;
  /// a, b [B, 3, H, W] in [-1, 1] -> [B].
  [[nodiscard]] Tensor distance(const Tensor& a, const Tensor& b) const;
  /// LPIPS takes any size from 64 on; this is what its own evaluation used.
  [[nodiscard]] std::int64_t image_size() const override { return 64; }

 private:
  struct Layer {
    std::int64_t stride = 1, padding = 1;
    bool pooled_before = false;  ///< by a maximum
    std::int64_t pool = 2;       ///< side of that window; stride is always 2
    bool read = false;           ///< the distance reads the map behind it
    Tensor kernel, bias;
  };

  void build(const Scope& root);
  /// After the five layers, each scaled to length 1 over its channels.
  [[nodiscard]] std::vector<Tensor> maps(const Tensor& pixel_values) const;

  Placement placement_;
  std::string where_;
  std::vector<Layer> layers_;
  std::vector<Tensor> scales_;  // [1, C, 1, 1], the weights
};

}  // namespace atelier
