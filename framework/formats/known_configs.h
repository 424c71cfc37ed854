#pragma once

#include <string>
#include <string_view>

#include "framework/core/json.h"

namespace atelier {

/// The architectures whose single-file checkpoints need no configuration. `sd2` is Stable Diffusion 2.1.
enum class Family { sd1, sd2, sdxl, other };

/// "SD 1.x", "SD 2.x", "SDXL", "other".
[[nodiscard]] std::string_view family_name(Family family);

/// The published configs of a family (formats.md 2 and 9): {"model_index": …, "unet": …, "vae": …, "text_encoder": …,
/// "scheduler": …} and, for SDXL, "text_encoder_2". For `sd2` the values are those of 2.1 at 768 pixels, which predicts
/// v; with `epsilon` those of 2.1-base at 512 pixels. Family::other has none: an empty object.
[[nodiscard]] Json known_configs(Family family, bool epsilon);

/// A component's config with what its class takes for absent keys (formats.md 2). Classes that we do not know come back
/// unchanged. `component` is "unet", "vae", "text_encoder", "text_encoder_2" or "scheduler".
[[nodiscard]] Json with_class_defaults(std::string_view component, Json config);

}  // namespace atelier
