#pragma once

#include <map>
#include <string>

#include "framework/core/json.h"
#include "framework/formats/known_configs.h"
#include "framework/formats/ldm_sections.h"

namespace atelier {

/// One component as it stands in an LDM or sgm file, section prefix included: the inverse of SingleFile::weights().
/// Query, key and value of an OpenCLIP tower become one in_proj, the VAE's attention 1×1 convolutions; nothing that the
/// model does not use (a last OpenCLIP layer, position_ids) is made up. Element types stay as they are. Values are
/// views of the input, or own their bytes where they had to be put together. `component` is "unet", "vae",
/// "text_encoder" or "text_encoder_2", `config` its configuration, and family one of sd1, sd2, sdxl. Throws Error for a
/// name that the layout has no place for and for incomplete in_proj parts.
[[nodiscard]] Tensors to_ldm(Family family, const std::string& component, const Tensors& tensors, const Json& config,
                             const std::string& where);

}  // namespace atelier
