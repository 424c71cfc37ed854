#pragma once

#include "framework/training/stage.h"

namespace atelier {

/// How many rows of each kind a batch, or a piece of one, has.
struct RowCounts {
  std::int64_t all = 0, instance = 0;
  [[nodiscard]] std::int64_t of(Term::Rows rows) const;
};

/// A piece's part of the reduced terms: sums over its rows, divided where the term is a mean by the rows of the whole
/// batch. The parts of all pieces add up to the reduction over the batch. Throws Error when a term's rows do not fit.
[[nodiscard]] Reduced reduce_terms(const Terms& terms, const RowCounts& piece, const RowCounts& whole);

[[nodiscard]] std::map<std::string, double> term_weights(const Terms& terms);

}  // namespace atelier
