#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/training/stage.h"

/// The stages of the published methods, as they must be possible with framework/training/stage.h alone: each in the
/// smallest form that has everything unusual about it. The methods themselves are plugins.
namespace atelier::sketches {

struct Subject {
  std::string placeholder = "<x>";
  std::string class_word = "man";
};

/// AttnDreamBooth (Pang et al. 2024): a regulariser on cross-attention statistics, summed over the batch.
struct AttnDreamBooth {
  Subject subject;
  enum class Trains { embedding, attention, identity } trains = Trains::embedding;
  double mean_weight = 0.1, var_weight = 0.0;
  std::optional<double> prior_weight;
};
[[nodiscard]] std::unique_ptr<Stage> attndreambooth(AttnDreamBooth options);

/// TextReg: a masked token whose norm is pulled back, then LoRA with two norms on prompts alone.
struct TextReg {
  Subject subject;
  std::int64_t class_tokens = 1;
  std::int64_t rank = 2;
  double mask_ratio = 0.5;
  double alpha = 0.01, beta = 0.01;
  bool carry = false;  ///< the first stage's gradients of the LoRA are handed on
};
[[nodiscard]] std::unique_ptr<Stage> textreg_ti(TextReg options);
[[nodiscard]] std::unique_ptr<Stage> textreg_ut(TextReg options);

/// CatVersion: keys and values in front of those of the text encoder's last layers.
struct CatVersion {
  std::string class_word = "man";
  std::vector<std::int64_t> layers{0, 1};
  std::int64_t prefix_length = 1;
};
[[nodiscard]] std::unique_ptr<Stage> catversion(CatVersion options);

/// DCO: LoRA and tokens against the base model's own error, through a sigmoid.
struct DCO {
  Subject subject;
  std::int64_t rank = 2;
  double beta = 1000.0;
  std::optional<double> snr_gamma;
};
[[nodiscard]] std::unique_ptr<Stage> dco(DCO options);

/// DreamBooth with prior preservation: the whole UNet.
struct DreamBooth {
  Subject subject;
  double prior_weight = 1.0;
};
[[nodiscard]] std::unique_ptr<Stage> dreambooth(DreamBooth options);

}  // namespace atelier::sketches
