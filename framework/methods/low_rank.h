#pragma once

#include <string>
#include <vector>

#include "framework/formats/lora_file.h"
#include "framework/models/session.h"
#include "framework/training/stage.h"

namespace atelier {

/// Attaches LoRA (Hu et al. 2022, arXiv:2106.09685) to layers (full names, as Session::layers gives them):
/// W x + scale · B (A x) with A [rank, in] ~ N(0, 1/rank²), drawn under the parameter's name, and B [out, rank] = 0,
/// unless `start` holds them. Parameters "<layer>.lora_A.weight", "<layer>.lora_B.weight", in the order of `layers`.
/// Throws Error (usage) for a rank above a layer's width.
[[nodiscard]] std::vector<Parameter> attach_low_rank(Session& session, const Start& start, Draws& draws,
                                                     const std::vector<std::string>& layers, std::int64_t rank,
                                                     double scale = 1.0);

/// Attaches the adapters that an artifact (or an earlier stage) holds, frozen, times `scale`.
void apply_low_rank(Session& session, const TensorMap& tensors, double scale);

/// The adapters that an artifact holds as a file's entries, in float32 and with alpha = rank, for the writers of
/// framework/formats/lora_writer.h. Throws Error for an adapter of which a half is missing.
[[nodiscard]] std::vector<LoraEntry> low_rank_entries(const TensorMap& tensors);

}  // namespace atelier
