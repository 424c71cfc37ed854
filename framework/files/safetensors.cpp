#include "framework/files/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/quote.h"
#include "framework/files/safetensors_header.h"

namespace atelier {
namespace {

constexpr std::size_t kLengthSize = 8;  // the header's length comes first, unsigned little-endian
constexpr const char* kDamaged = "the file is damaged: fetch or write it again";
constexpr const char* kIncomplete = "the file is incomplete or not a safetensors file: fetch it again";

std::string_view header_text(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < kLengthSize) {
    throw Error({.where = where + ": byte 0",
                 .found = fmt::format("{} bytes", bytes.size()),
                 .expected = "8 bytes that give the header's length",
                 .advice = kIncomplete});
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthSize);
  if (length > kMaxSafetensorsHeader) {
    throw Error({.where = where + ": byte 0",
                 .found = fmt::format("a header of {} bytes", length),
                 .expected = fmt::format("at most {}", kMaxSafetensorsHeader),
                 .advice = "this is no safetensors file"});
  }
  if (length > bytes.size() - kLengthSize) {
    throw Error({.where = where + ": byte 0",
                 .found = fmt::format("a header of {} bytes in a file of {}", length, bytes.size()),
                 .expected = "a header inside the file",
                 .advice = kIncomplete});
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthSize, static_cast<std::size_t>(length)};
}

[[noreturn]] void fail(const std::string& where, const HeaderEntry& entry, std::string found, std::string expected) {
  throw Error({.where = fmt::format("{}: tensor {}, byte {}", where, quote(entry.name), entry.position),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = kDamaged});
}

/// Bytes that shape and dtype ask for.
std::uint64_t size_of(const HeaderEntry& entry, const std::string& where) {
  std::uint64_t bits = 1;
  bool overflow = false;
  for (const std::uint64_t dimension : entry.shape) overflow |= __builtin_mul_overflow(bits, dimension, &bits);
  overflow |= __builtin_mul_overflow(bits, entry.dtype->bits, &bits);
  if (overflow) {
    fail(where, entry, fmt::format("the shape [{}], more bits than 64 bits can count", fmt::join(entry.shape, ", ")),
         "a shape that fits the file");
  }
  if (bits % 8 != 0) {
    fail(where, entry, fmt::format("{} bits of {}", bits, entry.dtype->name), "whole bytes");
  }
  return bits / 8;
}

/// Our shapes are signed, and strides are computed even where a dimension is 0. Real files never come near.
void check_dimensions(const HeaderEntry& entry, const std::string& where) {
  std::int64_t product = 1;
  for (const std::uint64_t dimension : entry.shape) {
    if (dimension > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
        __builtin_mul_overflow(product, std::max<std::int64_t>(static_cast<std::int64_t>(dimension), 1), &product)) {
      fail(where, entry, fmt::format("the shape [{}]", fmt::join(entry.shape, ", ")),
           "dimensions whose product, zeros aside, is below 2^63");
    }
  }
}

void check_entry(const HeaderEntry& entry, const std::string& where) {
  if (entry.end < entry.begin) {
    fail(where, entry, fmt::format("data_offsets [{}, {}]", entry.begin, entry.end), "an END not before BEGIN");
  }
  const std::uint64_t size = size_of(entry, where);
  if (entry.end - entry.begin != size) {
    fail(where, entry, fmt::format("{} bytes of data", entry.end - entry.begin),
         fmt::format("{} for the shape [{}] {}", size, fmt::join(entry.shape, ", "), entry.dtype->name));
  }
  check_dimensions(entry, where);
}

/// The tensors must tile the data area: no gap, no overlap, nothing left over. Returns where the last one ends.
std::uint64_t check_layout(std::vector<HeaderEntry>& entries, const std::string& where) {
  std::sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const auto& entry : entries) {
    if (entry.begin != expected) {
      fail(where, entry,
           fmt::format("data that begins at {}, {}", entry.begin,
                       entry.begin > expected ? "after a gap" : "inside another tensor"),
           fmt::format("{}, where the tensor before it ends", expected));
    }
    check_entry(entry, where);
    expected = entry.end;
  }
  return expected;
}

void refuse_unsupported(const std::vector<HeaderEntry>& entries, const std::string& where) {
  for (const auto& entry : entries) {
    if (entry.dtype->dtype) continue;
    throw Error({.where = fmt::format("{}: tensor {}, byte {}", where, quote(entry.name), entry.position),
                 .found = fmt::format("the dtype {}, which is not supported", entry.dtype->name),
                 .expected = "BOOL, U8, I8, I16, U16, F16, BF16, I32, U32, F32, F64, I64 or U64",
                 .advice = "convert the file to F16, BF16 or F32"});
  }
}

}  // namespace

TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                             std::shared_ptr<const void> owner) {
  const std::string_view text = header_text(bytes, where);
  SafetensorsHeader header = parse_safetensors_header(text, where);
  const std::size_t data_begin = kLengthSize + text.size();
  const auto data = bytes.subspan(data_begin);
  const std::uint64_t end = check_layout(header.entries, where);
  if (end != data.size()) {
    throw Error({.where = fmt::format("{}: byte {}", where, data_begin),
                 .found = fmt::format("{} bytes of tensor data", data.size()),
                 .expected = fmt::format("{}, where the last tensor ends", end),
                 .advice = end > data.size() ? kIncomplete : kDamaged});
  }
  refuse_unsupported(header.entries, where);

  TensorFile file{.path = where, .tensors = {}, .metadata = std::move(header.metadata)};
  for (auto& entry : header.entries) {
    file.tensors.emplace(std::move(entry.name), TensorView{.dtype = *entry.dtype->dtype,
                                                           .shape = {entry.shape.begin(), entry.shape.end()},
                                                           .strides = {},
                                                           .bytes = data.subspan(entry.begin, entry.end - entry.begin),
                                                           .owner = owner});
  }
  return file;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return parse_safetensors(file->bytes(), path.string(), file);
}

}  // namespace atelier
