#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/training/stage.h"
#include "plugins/custom_diffusion/settings.h"

namespace atelier::custom_diffusion {

/// Names of the parameters that learn, as patterns: keys and values of every cross-attention; `queries`: also queries
/// and output.
[[nodiscard]] std::vector<std::string> learned_patterns(bool queries);

/// What the masked loss of each row is, [B]: the squares summed over channels and the places that count, over the
/// number of these places. As the published program has it, which is four times the mean over four channels. Without a
/// mask (a probe's batch may have none) the mean over all elements.
[[nodiscard]] Tensor masked_errors(const Tensor& prediction, const Tensor& target, const Tensor& mask);

/// Stage `kv`: keys and values of the cross-attention, and a new token's vector, learn by
///
///     loss = mse + λ · prior      mse: masked_errors() of the photos; prior: the mean squared error of class images
///
/// (Kumari et al. 2023, arXiv:2212.04488, section 3.1).
[[nodiscard]] std::unique_ptr<Stage> make_kv_stage(Settings settings);

}  // namespace atelier::custom_diffusion
