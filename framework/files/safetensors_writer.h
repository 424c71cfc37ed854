#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "framework/files/tensor_view.h"

namespace atelier {

struct SafetensorsOptions {
  std::map<std::string, std::string> metadata = {};  ///< written sorted by key
  bool add_format = true;  ///< adds "format": "pt" unless the metadata has a format; some readers refuse files without
};

/// Writes the file that the reference serializer would write, byte for byte (up to the order of two or more metadata
/// keys, which is a hash map's in the reference). The data goes from the views to the disk without a second copy; the
/// target appears whole or not at all.
/// Throws Error when a view is strided, has not the bytes its shape asks for, or shares bytes with another one (tied
/// weights are written once, under one name), when a name is not UTF-8 or is "__metadata__", and when the header
/// exceeds its limit.
void write_safetensors(const std::filesystem::path& target, const std::map<std::string, TensorView>& tensors,
                       const SafetensorsOptions& options = {});

}  // namespace atelier
