#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/config/options.h"
#include "framework/training/stage.h"

namespace atelier::dreambooth {

struct Settings {
  std::string instance_prompt;         ///< complete: "a photo of sks dog"
  std::string class_prompt;            ///< "a photo of dog"; "" without prior preservation
  bool text_encoder = false;           ///< it learns too
  std::optional<double> prior_weight;  ///< of the class images' loss; empty: none
  std::optional<double> snr_gamma;
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0, weight_decay = 0.0;

  [[nodiscard]] static Settings read(const Options& options, const Concept& subject);
};

/// Stage `finetune`: all parameters of the UNet, and where asked those of the text encoder, learn by
///   loss = mse + λ · prior   (Ruiz et al. 2023, Eq. 2; prior: the same over images of the class),
/// where with snr_gamma each row of mse is weighed (Hang et al. 2023, arXiv:2303.09556) as the published script does.
[[nodiscard]] std::unique_ptr<Stage> make_finetune_stage(Settings settings);

}  // namespace atelier::dreambooth
