#pragma once

#include <string>

#include "framework/methods/foreign_files.h"

namespace atelier::custom_diffusion {

/// What the authors' own program (on CompVis' latent diffusion) saves as `delta*.ckpt`: under `state_dict` the whole
/// weights of the cross-attention's keys and values (and, where they learned, queries and output) by that code's names,
/// and `embed`: the modifiers' vectors, [n, D] or [n · D] in `state_dict` without names, or {token: vector} beside it.
/// Vectors without names are `<new1>`, `<new2>`, …, as the authors' commands call them, or what --placeholder says,
/// with
/// `+` between several.
///
/// Of the file `name`. -> tensors as apply() knows them; empty when it is no such file. Throws Error naming file and
/// key for layers that the base model does not have or has in another shape, for layers that are missing, for
/// compressed deltas (which are u · v on top of the base's weights) and for vectors of another width.
[[nodiscard]] TensorMap read_delta(const ForeignArtifact& foreign, const std::string& name);

/// "delta_epoch=000004.ckpt", at the top of a folder.
[[nodiscard]] bool is_delta_name(const std::string& name);

}  // namespace atelier::custom_diffusion
