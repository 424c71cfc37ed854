#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::custom_diffusion {

struct Settings {
  std::string placeholder, initializer;
  std::string instance_prompt;                           ///< complete: "photo of a <new1> cat"
  std::string class_prompt;                              ///< "cat"; "" without prior preservation
  std::vector<std::string> far_captions, near_captions;  ///< templates; {} is the caption
  bool queries = false;                                  ///< queries and output of the cross-attention learn too
  bool detach_start_token = false;
  std::optional<double> prior_weight;  ///< of the class images' loss; empty: none
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0, weight_decay = 0.0;

  /// Throws Error where the run brought no captions for scaled photos.
  [[nodiscard]] static Settings read(const Options& options, const Concept& subject, const PromptLists& lists);
};

}  // namespace atelier::custom_diffusion
