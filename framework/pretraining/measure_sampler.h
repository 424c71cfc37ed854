#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/pretraining/measure_file.h"
#include "framework/tensor/placement.h"

namespace atelier {

class MeasureContext;

/// One picture to sample: the same as that of `atelier sample --prompt … --seed …` but for the rounding of larger
/// batches.
struct WantedSample {
  std::string prompt;
  std::uint64_t seed = 0;
};

/// Samples of many prompts, a batch at a time.
class SampleMaker {
 public:
  /// Throws Error for a pipeline that is not complete.
  SampleMaker(const std::filesystem::path& pipeline, const Placement& placement, const MeasureSampler& settings);
  ~SampleMaker();

  /// [n, S, S, 3] uint8 on the CPU, in the order of `wanted`.
  [[nodiscard]] Tensor make(const std::vector<WantedSample>& wanted, const MeasureContext& context);
  [[nodiscard]] std::int64_t side();  ///< S

 private:
  [[nodiscard]] Tensor batch(const std::vector<WantedSample>& wanted, const MeasureContext& context);

  std::unique_ptr<Session> session_;
  MeasureSampler settings_;
};

}  // namespace atelier
