#pragma once

#include "framework/config/study.h"

namespace atelier {

/// The pieces of read_study about merged methods; but for learns_low_rank() internal to the room.

/// Reads `merge: {subject: …, style: …}`; labels are checked by check_merges(), once all methods are read.
[[nodiscard]] StudyMerge read_merge(const YamlNode& node, const std::string& path, Faults& faults);
/// Of every merged method: that its labels name two trained methods of one base model that learn low-rank updates.
/// Gives it plugin, base model and, where it has none, sampler of its subject's method.
void check_merges(Study& study, Faults& faults);
/// The cells of merged methods from those of their parts, which are in `cells`: every subject with every style of the
/// same seed (a part with a single seed goes with all). Appends them.
void add_merged_cells(const Study& study, std::vector<Cell>& cells, Faults& faults);

/// Whether the artifact of these resolved options is low-rank updates of layers, with tokens beside them: the last
/// stage that runs reads the rank that they have, in an option `rank` or `lora_rank`.
[[nodiscard]] bool learns_low_rank(const MethodSpec& spec, const Json& options);

}  // namespace atelier
