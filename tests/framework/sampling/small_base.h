#pragma once

#include <memory>
#include <string>

#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"

/// One of the small random models of tests/parity, in float32 on the CPU.
inline std::shared_ptr<const atelier::Base> small_base(const std::string& family) {
  const auto checkpoint = std::make_shared<const atelier::Checkpoint>(
      atelier::Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/" + family));
  return std::make_shared<const atelier::Base>(checkpoint, atelier::Placement{});
}
