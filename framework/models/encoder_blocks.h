#pragma once

#include <memory>
#include <vector>

#include "framework/models/encoder_block.h"

namespace atelier {

using EncoderBlocks = std::vector<std::unique_ptr<EncoderBlock>>;

/// The blocks of an encoder: `layers`.0, `layers`.1, … of the checkpoint.
[[nodiscard]] EncoderBlocks encoder_blocks(const Scope& layers, std::int64_t count, const EncoderBlock::Names& names,
                                           const EncoderBlock::Options& options);

}  // namespace atelier
