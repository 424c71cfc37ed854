#pragma once

#include <filesystem>

#include "framework/files/tensor_view.h"

namespace atelier {

/// Reads a weight file of any kind that we know: safetensors, or a checkpoint of torch.save (its "state_dict" level if
/// it has one, nested names joined with dots). The content decides, not the name. Throws Error when the file is none of
/// these, and for a pickle unless `allow_pickle` (we never run one, but whoever loads such files elsewhere does).
[[nodiscard]] TensorFile read_tensor_file(const std::filesystem::path& path, bool allow_pickle);

}  // namespace atelier
