#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/json.h"
#include "framework/image/image.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/sampling/sampler.h"
#include "framework/schedulers/scheduler.h"

namespace atelier::worker {

/// How pictures are made, apart from what they show.
struct SamplingPlan {
  std::optional<std::string> scheduler;  ///< empty: the one that the model's folder names
  const Json* settings = nullptr;        ///< keys of the scheduler's config; borrowed, null: none
  std::int64_t steps = 50;
  std::int64_t width = 512, height = 512;  ///< pixels

  /// A fresh scheduler, planned for `steps`.
  [[nodiscard]] std::unique_ptr<Scheduler> make_scheduler(const Checkpoint& checkpoint) const;
};

/// Samples pictures from a session: what `atelier sample` and the sample jobs of a study share, so that one seed gives
/// one picture in both.
class PictureSampler {
 public:
  using OnStep = std::function<void(const SamplingStep&)>;

  /// Borrows the session and the plan.
  PictureSampler(Session& session, const SamplingPlan& plan);

  /// One call with a row for each seed; row i is the picture of `atelier sample --seed seeds[i]`. `given` [n, 4, h, w]
  /// of unit variance stands for the initial latents where it is defined. Returns the final latents [n, 4, h, w].
  [[nodiscard]] Tensor latents(const std::vector<Branch>& branches, const std::vector<std::uint64_t>& seeds,
                               const Tensor& given = {}, const OnStep& on_step = {}, const GuidedHooks& hooks = {});
  /// Latents [1, 4, h, w] -> a picture. One at a time: the decoder needs more memory than the UNet.
  [[nodiscard]] Image decode(const Tensor& latents) const;
  /// Channels, height and width of the latents.
  [[nodiscard]] const std::vector<std::int64_t>& shape() const { return shape_; }
  /// UNet calls of one batch.
  [[nodiscard]] std::size_t calls() const;

 private:
  [[nodiscard]] Tensor time_ids() const;

  Session& session_;
  const SamplingPlan& plan_;
  std::vector<std::int64_t> shape_;  // of one picture's latents
};

/// The condition of no prompt at all: SDXL's pipelines take zeros for it where the model says so (formats.md 16), the
/// others the encoding of "".
[[nodiscard]] TextCondition encode_no_prompt(Session& session, const EncodeOptions& options = {});

/// Width and height; `size` empty: the model's own. Throws a usage Error for a size that has no whole latents.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> picture_size(
    Session& session, const std::optional<std::pair<std::int64_t, std::int64_t>>& size);

/// Builds every part, so that a damaged model is found before anything is written.
void build_all(Session& session);

/// A base model with the autoencoder in float32 where its config says that half precision overflows (force_upcast).
[[nodiscard]] std::shared_ptr<const Base> make_base(Checkpoint checkpoint, const Placement& placement);

}  // namespace atelier::worker
