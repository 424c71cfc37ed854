#pragma once

#include <filesystem>
#include <string>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Where an interrupted base training goes on: flat buffers by name, and the number of steps made.
struct BaseState {
  std::int64_t step = 0;
  TensorMap buffers;  ///< "values", "first", "second", "average"
};

/// The file DIR/.training/<component>.safetensors. Written whole or not at all: a process that dies at any instant
/// leaves the old one or the new one.
class BaseSnapshot {
 public:
  /// `digest` identifies recipe, data and inputs; a snapshot of others is refused.
  BaseSnapshot(std::filesystem::path path, std::string digest) : path_(std::move(path)), digest_(std::move(digest)) {}

  void write(const BaseState& state) const;
  /// Copies into `buffers` (which give the names and shapes that are expected) and returns the step; 0 where there is
  /// no file. Throws Error for a damaged file, another digest, and tensors that do not fit.
  [[nodiscard]] std::int64_t load(const TensorMap& buffers) const;
  /// Removes the file and what a killed writer left beside it.
  void remove() const;

 private:
  void remove_leftovers() const;

  std::filesystem::path path_;
  std::string digest_;
};

}  // namespace atelier
