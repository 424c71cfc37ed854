#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::attndreambooth {

/// λ_mean and λ_var of the regulariser; both 0: none, and no attention map is formed.
struct RegularizerWeights {
  double mean = 0.0, var = 0.0;

  [[nodiscard]] bool any() const { return mean != 0.0 || var != 0.0; }
};

/// What a stage takes from options and concept.
struct Settings {
  enum class Trains { embedding, attention, identity };
  Trains trains = Trains::embedding;
  std::string placeholder;
  std::string class_word;
  std::string initializer;  ///< words
  std::int64_t vectors = 1;
  std::string instance_prompt, class_prompt;  ///< filled
  RegularizerWeights regularizer;
  std::optional<double> prior_weight;  ///< of the class images' loss; empty: none
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0;  ///< scaled where asked
  double weight_decay = 0.0;

  /// Throws Error for a stage that the method does not have.
  [[nodiscard]] static Settings read(const std::string& stage, const Options& options, const Concept& subject);
};

}  // namespace atelier::attndreambooth
