#pragma once

#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"

namespace atelier::attndreambooth {

/// Where the first vector of the placeholder stands in each caption: [B] int64, 0 for captions of the class
/// (`instance_rows` and on). Throws Error (usage) unless a caption of the concept holds the placeholder exactly once,
/// with a token behind its vectors.
[[nodiscard]] Tensor placeholder_positions(Session& session, const std::vector<Sample>& samples,
                                           const std::string& placeholder, std::int64_t vectors);

/// Host: each different caption once, as `shared` token ids, and the row of it that every row of the batch reads.
void put_captions(StepTensors& tensors, Session& session, const std::vector<Sample>& samples);
/// Device: the encoder's output, [B, 77, D], or one row that stands for all. In the graph.
[[nodiscard]] TextCondition encode_captions(const StepTensors& tensors, Session& session);

/// The rows of the token table that the vectors start from: those of the first tokens of `words`. For each vector [D].
/// Throws Error (usage) when there are fewer tokens than vectors.
[[nodiscard]] std::vector<Tensor> initial_rows(Session& session, const std::string& words, std::int64_t vectors);

}  // namespace atelier::attndreambooth
