#pragma once

#include <filesystem>
#include <vector>

#include "eval/score_sheet.h"

namespace atelier::eval {

/// Writes `<role>.safetensors` for every encoder: `generated` and `references` [N, F] float32, not normalised, of
/// foregrounds `generated_masked` and `references_masked`; under the same names, as metadata, JSON arrays of the N
/// files. Pictures that could not be seen have no row. The folder is made where it is not there.
void write_features(const std::filesystem::path& folder, const Protocol& protocol,
                    const std::vector<ScoredConcept>& concepts);

}  // namespace atelier::eval
