#pragma once

#include <ATen/core/Generator.h>

#include <functional>
#include <vector>

#include "framework/sampling/guidance.h"
#include "framework/schedulers/scheduler.h"

namespace atelier {

/// The state after a step, for progress lines and previews.
struct SamplingStep {
  std::size_t call = 0;
  std::size_t calls = 0;
  const Tensor& latents;  ///< [B, 4, h, w], after this step
};

/// Walks `latents` from noise to an image's latents.
///
/// latents     [B, 4, h, w] of unit variance, before the scheduler's initial noise scale. Float32 or float64: the state
///             keeps that type, whatever the UNet computes in.
/// generators  one for each row; a scheduler that draws noise continues them, row by row.
/// Throws Error when the latents stop being finite (checked once, at the end).
[[nodiscard]] Tensor sample_latents(GuidedModel& model, Scheduler& scheduler, const Tensor& latents,
                                    std::vector<at::Generator>& generators,
                                    const std::function<void(const SamplingStep&)>& on_step = {});

/// Initial latents of images seed, seed + 1, …: each from a fresh CPU generator seeded with its own number, drawn as
/// [1, 4, h, w]. Appends the generators, for the noise that the scheduler draws later.
[[nodiscard]] Tensor initial_latents(at::IntArrayRef shape, const std::vector<std::uint64_t>& seeds,
                                     std::vector<at::Generator>& generators);

}  // namespace atelier
