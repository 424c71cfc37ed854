#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace atelier {

/// A unigram model of SentencePiece (Kudo 2018, arXiv:1804.10959): pieces with log probabilities, and how a text is
/// brought to their spelling.
struct SentencePieceModel {
  enum class Type { normal, unknown, control, unused };
  struct Piece {
    std::string text;  ///< a blank is written U+2581
    float score = 0;
    Type type = Type::normal;
  };

  std::string where;          ///< the file, for messages
  std::vector<Piece> pieces;  ///< by id
  std::int64_t unknown = 0;   ///< id of the unknown piece
  std::string charsmap;       ///< compiled replacements of characters (charsmap.h); empty: none
  bool dummy_prefix = true;   ///< a blank goes in front of the text
  bool trim_blanks = true;    ///< no blanks at the ends, and one between words
};

/// Reads `spiece.model`, a protocol buffer. Throws Error with the file and the byte for damage, and for what SigLIP's
/// vocabularies have none of: models that are not unigram, user-defined and byte pieces, blanks as suffixes.
[[nodiscard]] SentencePieceModel read_sentencepiece(const std::filesystem::path& path);

/// The same out of a `tokenizer.json` of the `tokenizers` library whose model is Unigram: pieces, unknown id and the
/// `Precompiled` normaliser's table. Throws Error with file and key.
[[nodiscard]] SentencePieceModel read_unigram_json(const std::filesystem::path& path);

}  // namespace atelier
