#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "framework/models/attention.h"
#include "framework/sampling/feature_size.h"

namespace atelier {

/// Where the conditional branch's cross-attention goes: for each row and word the share that its tokens get, averaged
/// over heads, layers and calls. A layer's map is brought to the latents' size bilinearly before the average.
class AttentionMaps {
 public:
  /// The places of one word's tokens.
  using Places = std::vector<std::int64_t>;

  /// `words[row]`: the words of that row, as many in each row; a word without places gets zeros. `first_row`: where the
  /// conditional branch's rows begin among those of a guided step.
  AttentionMaps(FeatureSize latents, std::vector<std::vector<Places>> words, std::int64_t first_row);

  /// One layer of one call; an AttentionObserver.
  void add(std::string_view layer, const Tensor& probabilities);
  /// [rows, words, h, w] float32 on the CPU. Throws Error when nothing was added.
  [[nodiscard]] Tensor average() const;

 private:
  [[nodiscard]] Tensor chosen(const Tensor& like);

  FeatureSize latents_;
  std::vector<std::vector<Places>> words_;
  std::int64_t first_row_;
  Tensor chosen_;                        // [rows, L, words]: 1 where a token belongs to the word
  std::map<std::int64_t, Tensor> sums_;  // by number of pixels, [rows, words, pixels]
  std::int64_t added_ = 0;
};

}  // namespace atelier
