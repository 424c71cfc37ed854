#pragma once

#include "eval/scoring.h"

namespace atelier::eval {

/// Adds what a protocol measures of whole sets of pictures (evaluation.md 2.2, 4). In the scores of each set:
/// - `<role>_pres` is PRES, the mean cosine of pictures and references; `<role>_pres_change` is that less the base
/// model's;
/// - `<role>_paired` is the mean over k of what picture k and the base model's k, of the same seed, are to each other:
/// the
///   cosine, or the distance of LPIPS;
/// - `<role>_t_change` is `<role>_t` less that of the base model's pictures;
/// - `<role>_div` is DIV, the mean over pairs of the set of 1 − cosine, or of the distance of LPIPS.
///
/// In `scores.pooled`, over all sets at once: `kid` and `fid`, unscaled, against the base model's pictures or the
/// references; KID from 100 subsets of min(N, M, 1000). Undefined where pictures are missing. `scores` has everything
/// else already. Throws Error for a set whose base model's pictures are not as many as its own.
void add_set_measures(const Protocol& protocol, const Encoders& encoders, const std::vector<PictureSet>& sets,
                      Scores& scores);

}  // namespace atelier::eval
