#pragma once

#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

// What a manifest says about its evaluations, for who plans them and who reads them.

/// The names of the evaluations that an output of a job serves, as the study gives them. Manifests of earlier versions
/// name the first one only, or the protocol alone; empty: none is named, as for what is trained.
[[nodiscard]] std::vector<std::string> evaluations_of(const Json& job, const Json& output);

/// The scores of a protocol that a table shows when none is asked for: those of pictures ("clip_i"), of pictures and
/// texts ("clip_t"), then what the protocol derives. `settings`: {scoring, reduction}, as a manifest has them.
[[nodiscard]] std::vector<std::string> main_scores(const std::string& protocol, const Json& settings);
/// What the protocol measures of whole sets of pictures ("kid", "lpips_paired"), in the order of its encoders.
[[nodiscard]] std::vector<std::string> set_measures(const Json& scoring);
/// All that can be asked for: those, image scores over prompts that keep the appearance ("clip_i_kept"), scores of sets
/// of pictures, the share of pictures without a score (miss_rate) and, under masks, of foreground (foreground).
[[nodiscard]] std::vector<std::string> all_scores(const std::string& protocol, const Json& settings);
/// The two scores whose geometric mean is "overall"; none: the protocol has no such score.
[[nodiscard]] std::vector<std::string> overall_parts(const Json& settings);
/// Whether "reconstruction" and "editability" are derived from the roles of the prompts.
[[nodiscard]] bool derives_scores(const std::string& protocol);

}  // namespace atelier
