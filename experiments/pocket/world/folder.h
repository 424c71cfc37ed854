#pragma once

#include <filesystem>

namespace atelier::pocket {

/// Makes a folder and those above it. Throws Error with what the system said.
void make_folder(const std::filesystem::path& folder);

}  // namespace atelier::pocket
