#pragma once

#include "eval/two_tower_encoder.h"
#include "framework/models/clip_model.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::eval {

/// CLIP.
class ClipEncoder final : public TwoTowerEncoder<ClipModel, ClipTokenizer> {
 public:
  using TwoTowerEncoder::TwoTowerEncoder;

 private:
  /// Start, the text, end, padding. Throws Error also for a text with an added token.
  [[nodiscard]] std::vector<std::int64_t> encode(const std::string& text) const override;
  [[nodiscard]] ClipTokenizer load_tokenizer() const override;
};

}  // namespace atelier::eval
