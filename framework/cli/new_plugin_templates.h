#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace atelier::cli {

/// The files of a new method, by name: CMakeLists.txt, <name>.cpp, README.md. They compile against an installed Atelier
/// as they are, and learn the vector of one new word (the stage of Textual Inversion in its simplest form).
/// Throws Error (usage) for a name that is not a-z, 0-9 and _ with a letter in front.
[[nodiscard]] std::map<std::string, std::string> new_plugin_files(const std::string& name);

/// Writes them into `folder`, which is made. Throws Error (usage) when one of them exists already: nothing is written.
void write_new_plugin(const std::string& name, const std::filesystem::path& folder);

}  // namespace atelier::cli
