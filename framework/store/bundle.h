#pragma once

#include <filesystem>
#include <string>

#include "framework/store/pins.h"
#include "framework/store/store.h"

namespace atelier {

struct BundleContent {
  std::size_t files = 0;
  std::uintmax_t bytes = 0;
};

/// A part of a store that reprints a study's tables elsewhere: a folder that is a store itself, with the manifest, the
/// records of all its keys, the scores, the losses, what the spools say of them, and the study's text as study.yaml;
/// with `pictures` also the sampled and given ones. bundle.json holds the digest of every file. The same store gives
/// the same bytes. Throws Error when `folder` is there and not empty, and for `pictures` that were released; nothing is
/// left of a bundle that failed.
BundleContent write_bundle(const Store& store, const std::string& manifest, const std::filesystem::path& folder,
                           bool pictures);

/// What keeps in the store that the bundle was made from: all published keys of the manifest, and the objects that the
/// bundle has.
[[nodiscard]] Pin pin_of_bundle(const Store& store, const std::string& manifest, bool pictures);

/// Whether the folder is a bundle rather than a store that grows.
[[nodiscard]] bool is_bundle(const std::filesystem::path& folder);
/// Compares every file with bundle.json. Throws Error that names the first, in byte order, that is missing or has other
/// bytes.
void check_bundle(const std::filesystem::path& folder);

}  // namespace atelier
