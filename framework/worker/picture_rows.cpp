#include "framework/worker/picture_rows.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "framework/core/error.h"

namespace atelier::worker {
namespace {

bool same_branch(const Branch& a, const Branch& b) {
  return a.name == b.name && a.weight == b.weight && a.adapter_scale == b.adapter_scale;
}

void check_same(const std::vector<Branch>& branches, const std::vector<Branch>& first) {
  if (std::ranges::equal(branches, first, same_branch)) return;
  throw Error({.where = "Method::branches",
               .found = "other branches or weights for another prompt",
               .expected = "weights that depend on the guidance alone",
               .advice = "let the method return the same branches for every prompt"});
}

}  // namespace

std::vector<std::span<const PictureRow>> cut_rows(const std::vector<PictureRow>& rows, std::size_t size) {
  std::vector<std::span<const PictureRow>> batches;
  const std::span all(rows);
  for (std::size_t first = 0; first < rows.size(); first += size) {
    batches.push_back(all.subspan(first, std::min(size, rows.size() - first)));
  }
  return batches;
}

std::vector<Branch> stack_rows(const std::vector<const std::vector<Branch>*>& prompts) {
  std::vector<Branch> stacked = *prompts.front();
  for (const auto* branches : prompts) check_same(*branches, stacked);
  for (std::size_t b = 0; b < stacked.size(); ++b) {
    std::vector<Tensor> contexts, pooled;
    for (const auto* branches : prompts) {
      const TextCondition& text = (*branches)[b].text;
      contexts.push_back(text.context);
      if (text.pooled.defined()) pooled.push_back(text.pooled);
    }
    stacked[b].text.context = at::cat(contexts);
    if (!pooled.empty()) stacked[b].text.pooled = at::cat(pooled);
  }
  return stacked;
}

}  // namespace atelier::worker
