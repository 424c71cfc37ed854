#pragma once

#include <filesystem>
#include <string>

#include "framework/training/loss_record.h"
#include "framework/training/trainer.h"

namespace atelier {

/// The file from which an interrupted stage goes on: trained tensors, optimizer state, gradients that pile up, losses
/// so far, step. Written whole or not at all; a process that dies at any instant leaves the old one or the new one.
class Snapshot {
 public:
  /// `key` is the stage's key: a snapshot of other work is refused. An empty path: nothing is ever written or found.
  Snapshot(std::filesystem::path path, std::string key) : path_(std::move(path)), key_(std::move(key)) {}

  [[nodiscard]] bool enabled() const { return !path_.empty(); }
  void write(const Trainer& trainer, LossRecord& losses) const;
  /// Puts trainer and losses where the snapshot left them and returns the step to go on with; 0 where there is none.
  /// Throws Error for a damaged file, another key, and tensors that do not fit.
  [[nodiscard]] std::int64_t load(Trainer& trainer, LossRecord& losses) const;
  /// Removes the file and what a killed writer left beside it.
  void remove() const;

 private:
  void remove_leftovers() const;

  std::filesystem::path path_;
  std::string key_;
};

}  // namespace atelier
