#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"

namespace atelier {

using Tensors = std::map<std::string, TensorView>;

/// One section of an LDM/sgm file, its prefix taken off the names, under the names of diffusers or transformers.
/// `config` is the component's, `where` names file and component in errors. Values are views of the input. Buffers that
/// carry no weights (position_ids, logit_scale, attn_mask, the VAE's training loss) are left out; a tensor without a
/// place in the model is an Error listing up to 20 names.
[[nodiscard]] Tensors unet_from_ldm(const Tensors& section, const Json& config, const std::string& where);
/// The attention's 1×1 convolutions become matrices.
[[nodiscard]] Tensors vae_from_ldm(const Tensors& section, const Json& config, const std::string& where);
/// transformers' own names; files without the level "text_model." get it.
[[nodiscard]] Tensors clip_from_ldm(const Tensors& section, const Json& config, const std::string& where);
/// in_proj is split in three, text_projection transposed. The layer after the config's last (SD 2 uses OpenCLIP's
/// penultimate output) is left out, and so is text_projection where the class has none.
[[nodiscard]] Tensors text_from_open_clip(const Tensors& section, const Json& config, const std::string& where);

/// Throws Error "unexpected tensors: …" with up to 20 names unless `names` is empty.
void refuse_unexpected(const std::vector<std::string>& names, const std::string& where);

}  // namespace atelier
