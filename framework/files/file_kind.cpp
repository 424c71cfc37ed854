#include "framework/files/file_kind.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "framework/files/safetensors.h"

namespace atelier {
namespace {

constexpr std::size_t kTarMagic = 257;  // byte of "ustar" in a tar file's first header
// Protocol 2, LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);

std::string_view text_of(std::span<const std::byte> bytes, std::size_t limit) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()).substr(0, limit);
}

bool looks_like_safetensors(std::string_view text) {
  std::uint64_t length = 0;
  if (text.size() < sizeof length + 1) return false;
  std::memcpy(&length, text.data(), sizeof length);
  return length <= kMaxSafetensorsHeader && std::string_view("{ \t\r\n").find(text[8]) != std::string_view::npos;
}

}  // namespace

FileKind sniff_file_kind(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes, 512);
  if (looks_like_safetensors(text)) return FileKind::safetensors;
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) return FileKind::zip;
  if (text.starts_with(kLegacyMagic)) return FileKind::legacy_pickle;
  if (text.size() > kTarMagic && text.substr(kTarMagic).starts_with("ustar")) return FileKind::tar;
  return FileKind::other;
}

ForeignFile describe_foreign_file(std::span<const std::byte> bytes) {
  struct Row {
    std::string_view begin;
    const char* found;
    const char* advice;
  };
  static constexpr std::array<Row, 8> kKnown{{
      {"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file with 'git lfs pull'"},
      {"<", "a web page or XML text", "the download failed: fetch the file again"},
      {"GGUF", "a GGUF file", "take the model's safetensors files"},
      {"\x89HDF", "an HDF5 (Keras) file", "take the model's safetensors files"},
      {"\x93NUMPY", "a numpy array", "convert it to safetensors"},
      {"\x80", "a pickle that torch.save did not write", "convert it to safetensors"},
      {"{", "a JSON text", "name the weight file"},
      {"PK", "a damaged zip file", "fetch the file again"},
  }};
  const std::string_view text = text_of(bytes, 64);
  if (text.empty()) return {.found = "an empty file", .advice = "fetch the file again"};
  if (text.find_first_not_of('\0') == std::string_view::npos) {
    return {.found = "a file that begins with zeros", .advice = "the download is incomplete: fetch the file again"};
  }
  for (const auto& row : kKnown) {
    if (text.starts_with(row.begin)) return {.found = row.found, .advice = row.advice};
  }
  return {.found = "a file of an unknown kind", .advice = "convert it to safetensors"};
}

}  // namespace atelier
