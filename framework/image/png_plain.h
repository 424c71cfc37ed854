#pragma once

#include <optional>

#include "framework/image/decoders.h"

namespace atelier::image_detail {

/// A PNG of 8-bit RGB or RGBA in one pass, as pictures are written here and by most programs: libdeflate unpacks it in
/// half of zlib's time, into one piece whose lines are then put together.
///
/// nullopt for whatever is not plain and whole, which is then libpng's from the beginning: other colour types,
/// interlaced files, chunks that change what is seen (tRNS, eXIf) or are not known here, a checksum that does not hold,
/// data of another length than the picture needs. So nothing is judged here, and what is read is what libpng reads.
/// Always nullopt in builds without libdeflate.
[[nodiscard]] std::optional<Decoded> decode_plain_png(Bytes bytes);

}  // namespace atelier::image_detail
