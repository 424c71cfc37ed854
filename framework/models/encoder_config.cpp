#include "framework/models/encoder_config.h"

#include <fmt/format.h>

namespace atelier {

std::int64_t encoder_size(const ConfigReader& reader, const char* key, std::int64_t fallback, std::int64_t most) {
  const auto size = reader.integer(key, fallback);
  if (size < 1 || size > most) reader.fail(key, std::to_string(size), fmt::format("an integer from 1 to {}", most));
  return size;
}

std::int64_t encoder_layers(const ConfigReader& reader) { return encoder_size(reader, "num_hidden_layers", 12, 1000); }

std::int64_t encoder_heads(const ConfigReader& reader, const char* key, std::int64_t fallback, std::int64_t width) {
  const auto heads = encoder_size(reader, key, fallback);
  if (width % heads != 0) reader.fail(key, std::to_string(heads), fmt::format("a divisor of the width {}", width));
  return heads;
}

}  // namespace atelier
