#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/pretraining/measure_file.h"
#include "framework/tensor/placement.h"

namespace atelier {

/// How a quantity is written: what lies between 0 and 1 as a percentage or as it is, or decibels.
enum class MeasureUnit { share, score, decibels };

/// One quantity of a base model.
struct Measurement {
  std::string name;      ///< "clip.top1", "judge.accuracy.colour"
  std::string quantity;  ///< in words
  double measured = 0.0;
  std::optional<double> wanted = {};  ///< at least; nothing: reported only
  MeasureUnit unit = MeasureUnit::share;
  std::int64_t count = 0;  ///< of what it is a mean

  [[nodiscard]] bool ok() const { return !wanted || measured >= *wanted; }
};

struct MeasureRequest {
  std::filesystem::path quality;
  std::filesystem::path data;  ///< the folder that the scene sets lie in
  std::filesystem::path base;  ///< the pipeline's folder, with clip, segmenter and judge beside its components
  Placement placement;
  std::vector<std::string> only;   ///< sections of the file; empty: all that it has
  std::filesystem::path pictures;  ///< a folder for contact sheets; empty: none
  std::function<bool()> stop = [] { return false; };
};

struct MeasureResult {
  std::vector<Measurement> measurements;
  std::vector<std::filesystem::path> pictures;  ///< files that were written
  double seconds = 0.0;
};

/// Measures what the file asks for. Everything is opened and compared with each other before the first number. Throws
/// Error for files that are missing or do not fit each other, and one of kind interrupted when `stop` says so.
[[nodiscard]] MeasureResult measure_base(const MeasureRequest& request);

}  // namespace atelier
