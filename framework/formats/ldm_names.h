#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "framework/core/json.h"
#include "framework/formats/name_map.h"

namespace atelier {

/// Names of the LDM/sgm layout (CompVis, Stability) against those of diffusers and transformers; formats.md 12. Names
/// here are without the section's prefix ("model.diffusion_model." …). Both directions, one to one.

/// UNet. Numbers of blocks and layers and which blocks attend come from the component's config.
/// `where` names the config in errors.
[[nodiscard]] NameMap unet_names(const Json& config, const std::string& where);

/// AutoencoderKL. decoder.up counts from the other end than decoder.up_blocks.
[[nodiscard]] NameMap vae_names(const Json& config, const std::string& where);

/// Where a tensor of a CLIP text model lies in an OpenCLIP text tower.
struct OpenClipName {
  std::string name;
  int third = -1;           ///< 0 query, 1 key, 2 value: a third of the rows of in_proj; -1: the whole tensor
  bool transposed = false;  ///< stored [in, out]

  bool operator==(const OpenClipName&) const = default;
};

/// OpenCLIP's name for a transformers name ("text_model.encoder.layers.3.self_attn.q_proj.weight").
[[nodiscard]] std::optional<OpenClipName> open_clip_name(std::string_view transformers);
/// The other way. `third` says which of the three tensors inside in_proj is meant, and is -1 for all other names.
[[nodiscard]] std::optional<std::string> transformers_name(std::string_view open_clip, int third);
/// Whether the OpenCLIP tensor holds query, key and value.
[[nodiscard]] bool is_in_proj(std::string_view open_clip);

/// The EMA copy of the UNet tensor "model.diffusion_model.<name>": "model_ema.diffusion_model" and the name without
/// dots.
[[nodiscard]] std::string ema_name(std::string_view unet_name);

/// A diffusers VAE tensor under its present name: files from before 2023 call the attention's layers query, key, value
/// and proj_attn. Other names come back as they are.
[[nodiscard]] std::string modern_vae_name(std::string_view name);
/// Whether this is a layer of a VAE's attention, whose weight may be stored as a 1×1 convolution.
[[nodiscard]] bool is_vae_attention(std::string_view diffusers);

}  // namespace atelier
