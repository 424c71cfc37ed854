#pragma once

#include <string>

#include "framework/core/json.h"

namespace atelier {

class ClipTokenizer;

/// A CLIPModel's config.json with the numbers that the tokenizer determines: vocab_size and the special tokens' ids.
/// Throws Error where the config says something else.
[[nodiscard]] Json with_tokens(Json config, const ClipTokenizer& tokenizer, const std::string& where);

/// The config.json of the text tower alone, as Stable Diffusion's text_encoder has it.
[[nodiscard]] Json text_encoder_config(const Json& clip);

/// preprocessor_config.json: how pictures of any size are brought to what the vision tower was trained on.
[[nodiscard]] Json clip_preprocessor(std::int64_t side);

}  // namespace atelier
