#include "framework/models/encoder_blocks.h"

namespace atelier {

EncoderBlocks encoder_blocks(const Scope& layers, std::int64_t count, const EncoderBlock::Names& names,
                             const EncoderBlock::Options& options) {
  EncoderBlocks blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.push_back(std::make_unique<EncoderBlock>(layers / static_cast<std::size_t>(i), names, options));
  }
  return blocks;
}

}  // namespace atelier
