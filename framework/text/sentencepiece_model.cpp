#include "framework/text/sentencepiece_model.h"

#include <fmt/format.h>

#include <bit>
#include <optional>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/text/prompt_text.h"
#include "framework/text/wire_reader.h"

namespace atelier {
namespace {

using Piece = SentencePieceModel::Piece;
using Type = SentencePieceModel::Type;

/// SentencePiece.Type of sentencepiece_model.proto.
Type piece_type(std::uint64_t value, const WireReader& reader) {
  switch (value) {
    case 1:
      return Type::normal;
    case 2:
      return Type::unknown;
    case 3:
      return Type::control;
    case 5:
      return Type::unused;
    default:
      reader.fail(value == 4   ? "a user-defined piece"
                  : value == 6 ? "a byte piece"
                               : fmt::format("a piece of type {}", value),
                  "normal, unknown, control and unused pieces, as SigLIP's vocabulary has them");
  }
}

Piece read_piece(WireReader reader) {
  Piece piece;
  WireReader::Field field;
  while (reader.next(field)) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2) piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    if (field.number == 3) piece.type = piece_type(field.value, reader);
  }
  return piece;
}

void read_trainer(WireReader reader) {
  WireReader::Field field;
  while (reader.next(field)) {
    if (field.number == 3 && field.value != 1)
      reader.fail(fmt::format("a model of type {}", field.value), "1, a unigram model");
    if (field.number == 24 && field.value != 0) reader.fail("blanks as suffixes", "blanks as prefixes");
    if (field.number == 35 && field.value != 0) reader.fail("byte fallback", "a model with an unknown piece");
  }
}

void read_normalizer(WireReader reader, SentencePieceModel& model) {
  WireReader::Field field;
  while (reader.next(field)) {
    if (field.number == 2) model.charsmap = field.bytes;
    if (field.number == 3) model.dummy_prefix = field.value != 0;
    if (field.number == 4) model.trim_blanks = field.value != 0;
    if (field.number == 5 && field.value == 0) reader.fail("escape_whitespaces off", "on, as every published model");
  }
}

}  // namespace

SentencePieceModel read_sentencepiece(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  SentencePieceModel model;
  model.where = path.string();
  WireReader reader({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()}, model.where);
  WireReader::Field field;
  while (reader.next(field)) {
    if (field.number == 1) model.pieces.push_back(read_piece(reader.inside(field)));
    if (field.number == 2) read_trainer(reader.inside(field));
    if (field.number == 3) read_normalizer(reader.inside(field), model);
  }
  std::optional<std::size_t> unknown;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    require_utf8(model.pieces[id].text, fmt::format("{}: piece {}", model.where, id));
    if (model.pieces[id].type == Type::unknown && !unknown) unknown = id;
  }
  if (!unknown) {
    throw Error({.where = model.where,
                 .found = fmt::format("{} pieces, none of which is the unknown one", model.pieces.size()),
                 .expected = "the vocabulary of a SentencePiece model"});
  }
  model.unknown = static_cast<std::int64_t>(*unknown);
  return model;
}

}  // namespace atelier
