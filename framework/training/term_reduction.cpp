#include "framework/training/term_reduction.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"

namespace atelier {
namespace {

Tensor reduce(const std::string& name, const Term& term, const RowCounts& piece, const RowCounts& whole) {
  const std::int64_t rows = piece.of(term.rows);
  const Tensor& values = term.per_sample;
  if (!values.defined() || values.dim() != 1 || values.size(0) != rows) {
    throw Error({.where = "loss term " + name,
                 .found = values.defined() ? describe(values.sizes(), values.scalar_type()) : "no tensor",
                 .expected = fmt::format("one value for each of {} rows", rows)});
  }
  const Tensor sum = values.sum();
  if (term.reduce == Term::Reduce::sum) return sum;
  return sum / static_cast<double>(std::max<std::int64_t>(1, whole.of(term.rows)));
}

}  // namespace

std::int64_t RowCounts::of(Term::Rows rows) const {
  if (rows == Term::Rows::all) return all;
  return rows == Term::Rows::instance ? instance : all - instance;
}

Reduced reduce_terms(const Terms& terms, const RowCounts& piece, const RowCounts& whole) {
  Reduced reduced;
  for (const auto& [name, term] : terms) reduced.emplace(name, reduce(name, term, piece, whole));
  return reduced;
}

std::map<std::string, double> term_weights(const Terms& terms) {
  std::map<std::string, double> weights;
  for (const auto& [name, term] : terms) weights.emplace(name, term.weight);
  return weights;
}

}  // namespace atelier
