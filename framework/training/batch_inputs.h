#pragma once

#include <vector>

#include "framework/training/stage.h"

namespace atelier {

/// One batch before the noise is added: what the data room makes from photos and draws, or a probe from a file. With
/// class images rows 0 … instance_rows - 1 show the concept, the others its class.
struct BatchInputs {
  Tensor latents;               ///< [B, 4, h, w] scaled
  Tensor noise;                 ///< [B, 4, h, w]
  Tensor timesteps;             ///< [B] int64
  Tensor mask;                  ///< [B, 1, h, w], or undefined
  Tensor time_ids;              ///< SDXL: [B, 6] float32
  std::vector<Sample> samples;  ///< B
  std::int64_t instance_rows = 0;

  [[nodiscard]] std::int64_t size() const { return latents.size(0); }
};

}  // namespace atelier
