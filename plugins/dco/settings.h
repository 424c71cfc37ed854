#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::dco {

/// The new token of stage `subject`.
struct TokenSettings {
  std::string placeholder;
  std::string initializer;  ///< a word of one token; "": at random
  bool own_norm = false;    ///< of a random start: keep its own norm instead of the table's standard deviation
  std::string update;       ///< trained, frozen, official
  double learning_rate = 0.0;
  double weight_decay = 0.0;
  bool clipped = true;  ///< whether gradients are clipped, so that those of all rows of the tables count
};

/// What is minimised.
struct LossSettings {
  double beta = 1000.0;  ///< at most 0: the plain loss
  bool per_sample = false;
  std::optional<double> snr_gamma;

  [[nodiscard]] bool has_reference() const { return beta > 0.0; }
  /// Whether the loss is the weighted sum of its terms.
  [[nodiscard]] bool linear() const { return !has_reference() || per_sample; }
};

/// What a stage takes from options and concept.
struct Settings {
  std::optional<TokenSettings> token;  ///< of `subject`
  std::string phrase;                  ///< what stands for the concept in captions: the token, or the style's words
  std::string class_word;
  std::string instance_prompt;  ///< with {}
  bool pool_at_eos = false;
  std::int64_t rank = 32;
  LossSettings loss;
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0;  ///< of the adapters; scaled where asked
  double weight_decay = 0.0;

  [[nodiscard]] static Settings read(const std::string& stage, const Options& options, const Concept& subject);
};

}  // namespace atelier::dco
