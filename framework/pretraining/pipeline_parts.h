#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "framework/models/clip_text.h"
#include "framework/models/vae.h"

namespace atelier {

class ComponentFolder;

/// A component's folder. Throws Error, with the component to train first, where it is missing.
[[nodiscard]] ComponentFolder open_component(const std::filesystem::path& folder, const std::string& trained_by);

/// The frozen parts of a pipeline that a UNet learns with. Throw Error, with what to train first, where a part is
/// missing.
[[nodiscard]] std::unique_ptr<VAE> open_vae(const std::filesystem::path& pipeline, const Placement& placement);
[[nodiscard]] std::unique_ptr<ClipText> open_text_encoder(const std::filesystem::path& pipeline,
                                                          const Placement& placement);

/// config.json and weights of a component's folder, whose digests tell whether a snapshot still fits.
[[nodiscard]] std::vector<std::filesystem::path> component_files(const std::filesystem::path& folder,
                                                                 const std::string& trained_by);

/// Text states [n, L, D] after the last norm, of ids [n, L] int64 on the CPU, in the encoder's type on its device.
/// `keep_on` is called between batches.
[[nodiscard]] Tensor encode_captions(const ClipText& text, const Tensor& ids, const std::function<void()>& keep_on);

}  // namespace atelier
