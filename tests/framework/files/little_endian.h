#pragma once

#include <cstring>
#include <string>

/// An integer as the file formats have it: little-endian.
template <typename Integer>
std::string little_endian(Integer value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
