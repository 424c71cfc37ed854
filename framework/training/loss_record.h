#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/training/trainer.h"

namespace atelier {

/// Loss, terms and gradient norm of every step. They stay on the device and are read in blocks.
class LossRecord {
 public:
  void append(const StepResult& result);
  /// Reads what is still on the device.
  void flush();

  /// By step, from 0; after flush(). The keys of `series`: "loss", "grad_norm", "term.<name>".
  [[nodiscard]] const std::map<std::string, std::vector<float>>& series() const { return series_; }
  [[nodiscard]] std::int64_t size() const { return steps_; }

  /// As one float32 tensor for each series, and back. Throws Error when their lengths are not `steps`.
  [[nodiscard]] TensorMap tensors();
  void restore(std::int64_t steps, const TensorMap& tensors);

 private:
  std::map<std::string, std::vector<float>> series_;
  std::vector<std::string> names_;  // of the pending columns
  std::vector<Tensor> pending_;     // [columns] each
  std::int64_t steps_ = 0;
};

}  // namespace atelier
