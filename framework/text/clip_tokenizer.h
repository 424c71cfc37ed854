#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atelier {

struct TokenizerFolder;

/// CLIP's tokenizer as `transformers` applies it (Radford et al. 2021; byte-level byte-pair encoding).
///
/// A prompt is UTF-8. Added tokens (the special tokens bos, eos, unknown and pad among them) are cut out of the raw
/// text; the rest is brought to NFC, lower-cased and split; each piece becomes byte pairs. So where `!` is the pad
/// token (SD 2.1, SDXL's tokenizer_2), a `!` in a prompt is the pad token's id, as it is in the reference.
///
/// const members may be called from several threads; add_token() may not run beside them.
class ClipTokenizer {
 public:
  /// Reads a `tokenizer/` folder, see read_tokenizer_folder(). Throws Error with file and key.
  [[nodiscard]] static ClipTokenizer load(const std::filesystem::path& folder);
  ~ClipTokenizer();
  ClipTokenizer(ClipTokenizer&&) noexcept;
  ClipTokenizer& operator=(ClipTokenizer&&) noexcept;

  /// bos, at most length() − 2 ids of the prompt, eos, then pad up to length() ids.
  /// Throws Error with the byte offset when the prompt is not UTF-8.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view prompt) const;
  /// The ids of the prompt alone: no bos, eos, padding, and nothing cut. tokens(p).size() − (length() − 2) were cut.
  [[nodiscard]] std::vector<std::int64_t> tokens(std::string_view prompt) const;

  /// Makes `text` a token of its own and returns its id, which is vocab_size() before the call.
  /// Throws Error (usage) when the token exists already, is empty, or begins or ends with whitespace.
  std::int64_t add_token(const std::string& text);
  /// The id of an added token or of a vocabulary entry ("cat</w>"), or -1.
  [[nodiscard]] std::int64_t id_of(std::string_view token) const;

  /// Textual Inversion with several vectors: replaces each added token `name` by `name name_1 name_2 …` as far as those
  /// are added tokens too. Call it once, before encode(); `name_1` alone stays as it is.
  [[nodiscard]] std::string expand_vectors(std::string_view prompt) const;

  /// Rows that the embedding table needs: one more than the largest id.
  [[nodiscard]] std::int64_t vocab_size() const noexcept { return vocab_size_; }
  [[nodiscard]] std::int64_t length() const noexcept { return length_; }  ///< ids per prompt, 77
  [[nodiscard]] std::int64_t bos_id() const noexcept { return bos_; }
  [[nodiscard]] std::int64_t eos_id() const noexcept { return eos_; }
  [[nodiscard]] std::int64_t pad_id() const noexcept { return pad_; }
  /// Tokens that the folder or add_token() added, with their ids: what added_tokens.json holds. Without the special
  /// tokens.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> added_tokens() const;

 private:
  struct Parts;
  explicit ClipTokenizer(TokenizerFolder folder);

  std::int64_t special(const std::string& text, const char* what, const std::string& where);
  std::int64_t append(const std::string& text, const std::string& where);

  std::unique_ptr<Parts> parts_;
  std::int64_t vocab_size_ = 0;
  std::int64_t length_ = 0;
  std::int64_t bos_ = 0;
  std::int64_t eos_ = 0;
  std::int64_t pad_ = 0;
};

}  // namespace atelier
