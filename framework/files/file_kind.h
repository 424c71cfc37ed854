#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace atelier {

/// What a weight file is by its first bytes; its name does not count.
enum class FileKind {
  safetensors,
  zip,            ///< torch.save since 1.6, TorchScript
  legacy_pickle,  ///< torch.save before 1.6
  tar,            ///< torch.save before 0.4
  other,
};

[[nodiscard]] FileKind sniff_file_kind(std::span<const std::byte> bytes);

/// For kind `other`: "a Git LFS pointer", "a web page", …, with what to do; for messages.
struct ForeignFile {
  std::string found;
  std::string advice;
};
[[nodiscard]] ForeignFile describe_foreign_file(std::span<const std::byte> bytes);

}  // namespace atelier
