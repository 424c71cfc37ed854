#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "framework/models/resampling.h"
#include "framework/models/resnet_block.h"
#include "framework/models/transformer_2d.h"

namespace atelier {

/// What every block of the UNet needs beside the feature map.
struct UNetFlow {
  Tensor time;     ///< [B, time_channels]
  Tensor context;  ///< [B, L, D]
  const UNetCall& call;
};

/// A resnet, and the transformer behind it where the block attends.
struct UNetLayer {
  std::unique_ptr<ResnetBlock> resnet;
  std::unique_ptr<Transformer2D> transformer;  ///< null in blocks without attention

  [[nodiscard]] Tensor forward(const Tensor& x, const UNetFlow& flow) const;
};

/// One level on the way down: layers, then a downsampler except in the last block.
struct DownBlock {
  std::vector<UNetLayer> layers;
  std::unique_ptr<Downsample> downsample;

  /// Appends every output to `skips`; returns the last.
  [[nodiscard]] Tensor forward(Tensor x, const UNetFlow& flow, std::vector<Tensor>& skips) const;
};

/// resnet, transformer, resnet.
struct MidBlock {
  UNetLayer first;
  UNetLayer last;  ///< empty in the form without attention

  [[nodiscard]] Tensor forward(Tensor x, const UNetFlow& flow) const;
};

/// One level on the way up: each layer takes one skip from the end of the list; then an upsampler except in the last.
struct UpBlock {
  std::vector<UNetLayer> layers;
  std::unique_ptr<Upsample> upsample;

  [[nodiscard]] Tensor forward(Tensor x, const UNetFlow& flow, std::vector<Tensor>& skips) const;
};

}  // namespace atelier
