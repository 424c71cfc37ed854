#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

/// A dtype that the format knows. `dtype` is absent for those that we refuse.
struct StoredDtype {
  std::string_view name;
  std::uint64_t bits;
  std::optional<Dtype> dtype;
};

/// One tensor as the header tells it; nothing is checked yet against the data or against other tensors.
struct HeaderEntry {
  std::string name;
  const StoredDtype* dtype = nullptr;  ///< points into a static table
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< bytes from the start of the data area
  std::uint64_t end = 0;
  std::size_t position = 0;  ///< byte in the file just after the tensor's name
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  ///< in file order, names unique
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON of a header, strictly as the reference does. `text` begins at byte 8 of the file `where`.
[[nodiscard]] SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& where);

}  // namespace atelier
