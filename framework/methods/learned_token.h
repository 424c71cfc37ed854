#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"

namespace atelier {

/// The row that the vectors of a new token start from: for each text encoder [D].
using TokenRows = std::vector<Tensor>;

/// The row of a word in each text encoder. Throws Error (usage, `where`) when it is not a single token.
[[nodiscard]] TokenRows initializer_rows(Session& session, const std::string& word, const std::string& where);

/// "text_encoder.token.<krk1>"; of the second vector "text_encoder.token.<krk1>_1"; SDXL's second encoder has
/// "text_encoder_2.token.…".
[[nodiscard]] std::string token_parameter(const std::string& encoder, const std::string& placeholder,
                                          std::int64_t vector = 0);

/// Adds a placeholder of `vectors` learned vectors to the session; all begin as `rows`, unless `start` holds them. The
/// vectors are leaves that require a gradient; every other row of the encoders stays as it is and has none.
/// -> for each text encoder its parameters, [D] each, in order.
[[nodiscard]] std::vector<std::vector<Parameter>> add_learned_token(Session& session, const Start& start,
                                                                    const std::string& placeholder,
                                                                    std::int64_t vectors, const TokenRows& rows);
/// The same where each vector begins at rows of its own.
[[nodiscard]] std::vector<std::vector<Parameter>> add_learned_token(Session& session, const Start& start,
                                                                    const std::string& placeholder,
                                                                    const std::vector<TokenRows>& rows);

/// Adds the token that an earlier stage or an artifact holds; frozen. Throws Error (`where`) when a vector is missing
/// for one of the text encoders. Returns the number of its vectors.
std::int64_t apply_token(Session& session, const TensorMap& tensors, const std::string& placeholder,
                         const std::string& where);
/// The placeholders that an artifact's tensors name, without the further vectors of each.
[[nodiscard]] std::vector<std::string> placeholders_of(const TensorMap& tensors);

}  // namespace atelier
