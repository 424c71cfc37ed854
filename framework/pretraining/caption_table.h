#pragma once

#include <string>
#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

class ClipTokenizer;
class SceneSet;

/// Every caption of a scene set once, as token ids. Number 0 is the empty caption.
class CaptionTable {
 public:
  /// Throws Error for a caption with words that the tokenizer cannot say, or of more tokens than it takes.
  CaptionTable(const SceneSet& scenes, const ClipTokenizer& tokenizer);

  [[nodiscard]] std::int64_t size() const { return ids_.size(0); }
  [[nodiscard]] const Tensor& ids() const { return ids_; }             ///< [size, L] int64 on the CPU
  [[nodiscard]] const Tensor& eos_positions() const { return ends_; }  ///< [size] int64 on the CPU
  /// One of the captions of each scene: rows [B] int64, chance [B] float32 in [0, 1), on the CPU -> [B] int64.
  [[nodiscard]] Tensor choose(const Tensor& rows, const Tensor& chance) const;

 private:
  std::int64_t add(const std::string& caption, const ClipTokenizer& tokenizer, const std::string& where);

  std::map<std::string, std::int64_t> numbers_;
  std::vector<std::int64_t> flat_ids_;
  std::vector<std::int64_t> flat_ends_;
  std::vector<std::vector<std::int64_t>> of_scene_;
  Tensor ids_, ends_;
};

}  // namespace atelier
