#include "framework/sampling/prompt_alignment.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"

namespace atelier {
namespace {

using Places = std::vector<std::int64_t>;

/// Rows by columns, filled on the host.
class Grid {
 public:
  Grid(std::size_t rows, std::size_t columns) : columns_(columns), values_(rows * columns, 0.0f) {}
  float& at(std::int64_t row, std::int64_t column) {
    return values_[static_cast<std::size_t>(row) * columns_ + static_cast<std::size_t>(column)];
  }
  [[nodiscard]] Tensor tensor() {
    const auto columns = static_cast<std::int64_t>(columns_);
    return at::from_blob(values_.data(), {static_cast<std::int64_t>(values_.size()) / columns, columns}, at::kFloat)
        .clone();
  }

 private:
  std::size_t columns_;
  std::vector<float> values_;
};

[[noreturn]] void refuse_swap(std::string found, std::string advice) {
  throw Error({.where = "word swap",
               .found = std::move(found),
               .expected = "as many words in the edited prompt as in the source, all within the encoder's length",
               .advice = std::move(advice)},
              ErrorKind::usage);
}

struct Swap {
  Places from, to;
};

std::vector<Swap> swaps_between(const PromptWords& source, const PromptWords& edited) {
  if (source.words.size() != edited.words.size()) {
    refuse_swap(fmt::format("{} and {} words", source.words.size(), edited.words.size()), "refine instead of replace");
  }
  std::vector<Swap> swaps;
  for (std::size_t i = 0; i < source.words.size(); ++i) {
    if (source.words[i].text == edited.words[i].text) continue;
    swaps.push_back({source.words[i].places, edited.words[i].places});
    if (swaps.back().from.empty() || swaps.back().to.empty())
      refuse_swap(fmt::format("\"{}\", which is cut off", edited.words[i].text), "shorten the prompts");
  }
  return swaps;
}

/// Scores and ways of a global alignment, [source + 1, edited + 1].
class TokenAlignment {
 public:
  enum class Way : char { left, up, both };

  TokenAlignment(const Places& source, const Places& edited)
      : width_(edited.size() + 1), best_((source.size() + 1) * width_, 0), ways_(best_.size(), Way::left) {
    for (std::size_t i = 1; i <= source.size(); ++i) ways_[i * width_] = Way::up;
    for (std::size_t i = 1; i <= source.size(); ++i) {
      for (std::size_t j = 1; j <= edited.size(); ++j) choose(i, j, source[i - 1] == edited[j - 1]);
    }
  }

  [[nodiscard]] Way way(std::size_t i, std::size_t j) const { return ways_[i * width_ + j]; }

 private:
  /// Of equal scores a gap in the source goes first, then one in the edited prompt.
  void choose(std::size_t i, std::size_t j, bool equal) {
    const int left = best_[i * width_ + j - 1], up = best_[(i - 1) * width_ + j];
    const int both = best_[(i - 1) * width_ + j - 1] + (equal ? 1 : -1);
    const int most = std::max({left, up, both});
    best_[i * width_ + j] = most;
    ways_[i * width_ + j] = most == left ? Way::left : most == up ? Way::up : Way::both;
  }

  std::size_t width_;
  std::vector<int> best_;
  std::vector<Way> ways_;
};

}  // namespace

PromptAlignment align_replacement(const PromptWords& source, const PromptWords& edited) {
  const auto length = source.length;
  Grid mapping(static_cast<std::size_t>(length), static_cast<std::size_t>(length));
  std::int64_t i = 0, j = 0;
  for (const auto& [from, to] : swaps_between(source, edited)) {
    for (; i < from.front(); ++i, ++j) mapping.at(i, j) = 1.0f;
    for (std::size_t k = 0; k < to.size(); ++k) {
      if (from.size() == to.size()) {
        mapping.at(from[k], to[k]) = 1.0f;
        continue;
      }
      for (const auto place : from) mapping.at(place, to[k]) = 1.0f / static_cast<float>(to.size());
    }
    i += static_cast<std::int64_t>(from.size());
    j += static_cast<std::int64_t>(to.size());
  }
  // Behind the last swap the authors' program goes on at the edited prompt's place in both prompts.
  for (; i < length && j < length; ++i, ++j) mapping.at(j, j) = 1.0f;
  return {.mapping = mapping.tensor(), .known = at::ones({length})};
}

PromptAlignment align_refinement(const PromptWords& source, const PromptWords& edited) {
  const auto length = source.length;
  const TokenAlignment alignment(source.ids, edited.ids);
  Grid mapping(static_cast<std::size_t>(length), static_cast<std::size_t>(length));
  Grid known(1, static_cast<std::size_t>(length));
  for (std::int64_t place = 0; place < length; ++place) known.at(0, place) = 1.0f;
  std::size_t i = source.ids.size(), j = edited.ids.size();
  while (i > 0 || j > 0) {
    switch (alignment.way(i, j)) {
      case TokenAlignment::Way::both:
        --i, --j;
        mapping.at(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) = 1.0f;
        break;
      case TokenAlignment::Way::left:
        --j;
        known.at(0, static_cast<std::int64_t>(j)) = 0.0f;
        break;
      case TokenAlignment::Way::up:
        --i;
        break;
    }
  }
  for (auto place = static_cast<std::int64_t>(edited.ids.size()); place < length; ++place)
    mapping.at(place, place) = 1.0f;
  return {.mapping = mapping.tensor(), .known = known.tensor().flatten()};
}

}  // namespace atelier
