#pragma once

#include <filesystem>
#include <string>

#include "framework/core/atomic_file.h"

namespace atelier::tests {

/// Turns the last bit of the file's byte `at`.
inline void change_byte(const std::filesystem::path& file, std::size_t at) {
  auto text = read_text_file(file);
  text.at(at) = static_cast<char>(text.at(at) ^ 1);
  write_file_atomically(file, text);
}

}  // namespace atelier::tests
