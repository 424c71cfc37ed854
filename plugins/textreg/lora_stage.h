#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/training/stage.h"
#include "plugins/textreg/settings.h"

namespace atelier::textreg {

/// What only the second stage reads.
struct LoRALoss {
  bool text_reg = true;
  double class_weight = 0.01;          ///< alpha
  double edit_weight = 0.01;           ///< beta
  std::optional<double> prior_weight;  ///< of the class images' loss; empty: none
  double text_learning_rate = 1e-5;
  std::optional<std::string> identifier_file;  ///< the identifier comes from here instead of from stage `ti`
};

/// Stage `ut`: low-rank updates of the cross-attention's keys and values learn; the identifier is frozen.
///
/// loss = mse + alpha · R_class + beta · R_edit. R_class: mean over the keys' and values' updates of ‖ΔW H‖_F for the
/// states H of a class prompt. R_edit: the same for an edit prompt with the identifier, keys only.
[[nodiscard]] std::unique_ptr<Stage> make_lora_stage(Settings settings, LoRALoss loss);

}  // namespace atelier::textreg
