#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

namespace atelier {

/// The folders of a store, under its root.
inline constexpr std::array<std::string_view, 6> kStoreFolders{"objects",   "keys",      "spool",
                                                               "snapshots", "manifests", "tmp"};

/// Makes what is missing of a store and returns its id. Two processes may do so at once. Throws Error for a folder that
/// holds other things, a store of another version, a folder that may not be written.
[[nodiscard]] std::string make_store_folder(const std::filesystem::path& root);

/// The id in <root>/store.json. Throws Error when there is none or it is of another version.
[[nodiscard]] std::string read_store_id(const std::filesystem::path& root);

/// The whole text of the store.json of a store with that id.
[[nodiscard]] std::string store_file_text(const std::string& id);

}  // namespace atelier
