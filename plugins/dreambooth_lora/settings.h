#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::dreambooth_lora {

/// The low-rank updates of one kind of component, and how they learn.
struct AdapterSettings {
  std::vector<std::string> modules;  ///< ends of layer names; empty: no updates
  double learning_rate = 0.0, weight_decay = 0.0;
};

/// The new token, where one is learned.
struct TokenSettings {
  std::string placeholder, initializer;
  double learning_rate = 0.0, weight_decay = 0.0;
};

struct Settings {
  std::string phrase;           ///< what stands for the concept: "sks dog"
  std::string instance_prompt;  ///< complete: "a photo of sks dog"
  std::string class_prompt;     ///< "a photo of dog"; "" without prior preservation
  std::int64_t rank = 4;
  double alpha = 4.0;  ///< the updates are multiplied by alpha / rank
  AdapterSettings unet, text;
  std::optional<TokenSettings> token;
  std::optional<double> prior_weight;  ///< of the class images' loss; empty: none
  std::optional<double> snr_gamma;
  DataSpec data;
  TrainSpec train;

  /// Throws Error (usage) for a list of layers without one.
  [[nodiscard]] static Settings read(const Options& options, const Concept& subject);
};

}  // namespace atelier::dreambooth_lora
