#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/models/clip_text.h"
#include "framework/models/session.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {

/// One text encoder with its tokenizer, the tokens that were added to both, and the edits of its attention. Both parts
/// are loaded on first use.
class TextTower {
 public:
  TextTower(const Base& base, std::size_t index) : base_(base), index_(index) {}

  [[nodiscard]] ClipText& model();
  [[nodiscard]] ClipTokenizer& tokenizer();
  [[nodiscard]] bool built() const { return model_ != nullptr; }

  /// Throws Error when the vectors do not fit or a token of that name exists; changes nothing.
  void check_token(const std::string& name, const Tensor& vectors);
  /// vectors [n, D] or [D].
  void add_token(const std::string& name, const Tensor& vectors);
  /// [n, D] behind the table's last; undefined where no token was added.
  [[nodiscard]] Tensor added_rows() const { return vectors_.empty() ? Tensor() : extra_tokens(); }
  /// [D] float32, a copy.
  [[nodiscard]] Tensor token_vector(const std::string& word);

  void edit(std::int64_t layer, TextAttentionEdit edit) { edits_[layer] = std::move(edit); }
  void clear_edits() { edits_.clear(); }
  [[nodiscard]] bool edited() const { return !edits_.empty(); }

  /// What this tower gives to the UNet: SDXL's towers the state before the last layer, the others the normed last
  /// state.
  [[nodiscard]] TextCondition encode(const Tensor& ids, const EncodeOptions& options);
  /// [B, 77] int64 on the base's device.
  [[nodiscard]] Tensor tokenize(const std::vector<std::string>& prompts);

 private:
  [[nodiscard]] Tensor context(const TextOutput& output, std::int64_t clip_skip);
  /// [n, D], built anew for each call: the learned vectors are leaves that an optimizer changes.
  [[nodiscard]] Tensor extra_tokens() const;

  const Base& base_;  // the session holds it
  std::size_t index_;
  std::unique_ptr<ClipText> model_;
  std::unique_ptr<ClipTokenizer> tokenizer_;
  std::vector<Tensor> vectors_;  // as they were given, [n, D] or [D], in the order of their ids
  std::map<std::int64_t, TextAttentionEdit> edits_;
};

}  // namespace atelier
