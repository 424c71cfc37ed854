#pragma once

#include <functional>
#include <map>
#include <memory>

#include "framework/image/image.h"
#include "framework/pretraining/measure.h"
#include "framework/pretraining/scene_set.h"

namespace atelier {

/// The pictures that one quantity is measured on.
struct MeasuredSet {
  const SceneSet& scenes;
  std::int64_t count = 0;  ///< the first so many

  /// `rows` pictures from `first` on, [B, S, S, 3] uint8, on the device.
  [[nodiscard]] Tensor images(std::int64_t first, std::int64_t rows, c10::Device device) const;
};

/// What the measurements share: where things are, the scene sets, and where results go.
class MeasureContext {
 public:
  MeasureContext(const MeasureRequest& request, MeasureResult& result) : request_(request), result_(result) {}

  /// Opened once. Throws Error when it is missing, or has fewer pictures than are asked for.
  [[nodiscard]] MeasuredSet open(const MeasuredScenes& wanted);

  [[nodiscard]] const std::filesystem::path& base() const { return request_.base; }
  [[nodiscard]] const Placement& placement() const { return request_.placement; }

  void add(Measurement measurement) { result_.measurements.push_back(std::move(measurement)); }
  /// Calls `piece(first, rows)` for batches of 0 … count - 1, with progress under this name. Throws the Error of an
  /// interruption.
  void in_batches(const std::string& what, std::int64_t count, std::int64_t batch,
                  const std::function<void(std::int64_t first, std::int64_t rows)>& piece) const;
  void check_stop() const;

  [[nodiscard]] bool wants_pictures() const { return !request_.pictures.empty(); }
  void add_sheet(const char* name, const std::vector<Image>& pictures, int columns, const std::string& title);
  /// A text that says what a sheet shows.
  void add_text(const char* name, const std::string& text);

 private:
  const MeasureRequest& request_;  // borrowed, as is the result
  MeasureResult& result_;
  std::map<std::string, std::unique_ptr<const SceneSet>> sets_;
};

/// A section of the quality file that is ready to be measured: its networks are open and fit its pictures.
using Measure = std::function<void(MeasureContext&)>;

[[nodiscard]] Measure prepare_vae(const VAEQuality& wanted, MeasureContext& context);
[[nodiscard]] Measure prepare_clip(const ClipQuality& wanted, MeasureContext& context);
[[nodiscard]] Measure prepare_segmenter(const SegmenterQuality& wanted, MeasureContext& context);
[[nodiscard]] Measure prepare_judge(const JudgeQuality& wanted, MeasureContext& context);
[[nodiscard]] Measure prepare_samples(const SamplesQuality& wanted, const MeasureSampler& sampler,
                                      MeasureContext& context);
[[nodiscard]] Measure prepare_swaps(const SwapsQuality& wanted, const MeasureSampler& sampler, MeasureContext& context);

}  // namespace atelier
