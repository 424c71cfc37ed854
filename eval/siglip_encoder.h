#pragma once

#include "eval/two_tower_encoder.h"
#include "framework/models/siglip_model.h"
#include "framework/text/siglip_tokenizer.h"

namespace atelier::eval {

/// SigLIP.
class SiglipEncoder final : public TwoTowerEncoder<SiglipModel, SiglipTokenizer> {
 public:
  using TwoTowerEncoder::TwoTowerEncoder;

 private:
  [[nodiscard]] std::vector<std::int64_t> encode(const std::string& text) const override;
  /// Throws Error for one that gives another number of ids than the text tower has places.
  [[nodiscard]] SiglipTokenizer load_tokenizer() const override;
};

}  // namespace atelier::eval
