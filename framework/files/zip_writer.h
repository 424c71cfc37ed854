#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atelier {

/// One file of an archive that is being written.
struct ZipContent {
  std::string name;
  std::string_view bytes;  ///< the caller's
};

/// A zip file whose entries are stored as they are, in the given order, each entry's data at a multiple of `alignment`
/// bytes (padded by an extra field "FB", as torch.save does). No times. Throws Error (`where`) when it would need the
/// 64-bit records: 4 GiB or 65535 entries.
[[nodiscard]] std::string stored_zip(std::span<const ZipContent> entries, std::size_t alignment,
                                     const std::string& where);

}  // namespace atelier
