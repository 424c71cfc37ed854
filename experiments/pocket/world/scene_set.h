#pragma once

#include <cstdint>
#include <filesystem>

#include "experiments/pocket/world/draw.h"

namespace atelier::pocket {

struct SceneSetOptions {
  Split split = Split::train;
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  bool operator==(const SceneSetOptions&) const = default;
};

/// Writes a folder, which appears whole or not at all:
/// - images.safetensors: images U8 [N, 64, 64, 3] RGB, masks U8 [N, 64, 64];
/// - scenes.jsonl: for each image {captions, subject, class, attributes, instance};
/// - set.json: {size, count, seed, split, world, attributes: all values in the order of a judge's logits, licence}.
/// Returns false, and writes nothing, when the folder holds that very set already. Throws Error (usage) when it holds
/// anything else.
bool write_scene_set(const SceneSetOptions& options, const std::filesystem::path& folder);

}  // namespace atelier::pocket
