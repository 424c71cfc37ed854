#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/models/image_encoder.h"

namespace atelier {

/// One convolution without bias, a batch norm of fixed statistics and a ReLU.
class NormedConvolution {
 public:
  struct Shape {
    std::string name;
    std::int64_t out = 0, rows = 1, columns = 1;
    std::int64_t stride = 1;
    bool padded = true;  ///< so that a stride of 1 keeps the size
  };

  NormedConvolution(const Scope& scope, std::int64_t in, const Shape& shape);
  NormedConvolution(const NormedConvolution&) = delete;
  NormedConvolution& operator=(const NormedConvolution&) = delete;

  /// [B, in, H, W] -> [B, out, H', W'].
  [[nodiscard]] Tensor forward(const Tensor& x) const;

 private:
  std::int64_t stride_;
  std::array<std::int64_t, 2> padding_;
  Tensor kernel_;                          // [out, in, rows, columns]
  Tensor gain_, shift_, mean_, variance_;  // [out]
};

/// One branch of a mixed block: a pooling, convolutions in a row, and perhaps two side by side at the end.
struct InceptionBranch {
  enum class Pooling {
    none,
    mean,      ///< 3×3, over the pixels inside the picture alone
    maximum,   ///< 3×3, keeps the size
    reducing,  ///< maximum 3×3 with stride 2
  };
  Pooling pooling = Pooling::none;
  std::vector<NormedConvolution::Shape> chain = {};
  std::vector<NormedConvolution::Shape> ends = {};
};

/// Inception v3 (Szegedy et al. 2016, arXiv:1512.00567) as the network of 2015-12-05 that FID and KID are defined on
/// (Heusel et al. 2017), under the names of its PyTorch port, pt_inception-2015-12-05. Where torchvision's differs, it
/// is the port's: means leave padding out, and Mixed_7c takes a maximum.
class InceptionV3 final : public ImageEncoder {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected, and for torchvision's ImageNet weights, which
  /// have the same names and are another network.
  explicit InceptionV3(Weights weights);

  /// pixel_values [B, 3, S, S], (x - 128) / 128 -> [B, 2048], the mean over the last maps. S at least 75.
  [[nodiscard]] Tensor features(const Tensor& pixel_values) const override;
  [[nodiscard]] std::int64_t image_size() const override { return 299; }

 private:
  struct Branch {
    InceptionBranch::Pooling pooling;
    std::vector<std::unique_ptr<NormedConvolution>> chain, ends;
    [[nodiscard]] Tensor forward(const Tensor& x) const;
  };
  using Mixed = std::vector<Branch>;

  /// Returns the block's channels.
  std::int64_t add(const Scope& scope, std::int64_t in, const std::vector<InceptionBranch>& branches);

  Placement placement_;
  std::string where_;
  std::vector<std::unique_ptr<NormedConvolution>> stem_;
  std::vector<Mixed> mixed_;
};

}  // namespace atelier
