#pragma once

#include "framework/models/config_reader.h"

namespace atelier {

/// A width or a count of a transformer encoder: from 1 to `most`. Throws Error.
[[nodiscard]] std::int64_t encoder_size(const ConfigReader& reader, const char* key, std::int64_t fallback,
                                        std::int64_t most = 1'000'000);
/// num_hidden_layers, at most 1000.
[[nodiscard]] std::int64_t encoder_layers(const ConfigReader& reader);
/// A number of attention heads that divides `width`. Throws Error.
[[nodiscard]] std::int64_t encoder_heads(const ConfigReader& reader, const char* key, std::int64_t fallback,
                                         std::int64_t width);

}  // namespace atelier
