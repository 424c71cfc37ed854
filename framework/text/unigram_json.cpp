// The Unigram model of a tokenizer.json.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/text/sentencepiece_model.h"

namespace atelier {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& found, const std::string& expected) {
  throw Error({.where = where, .found = found, .expected = expected, .advice = "give the folder its spiece.model"});
}

std::string from_base64(const std::string& text, const std::string& where) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) fail(where, fmt::format("the byte 0x{:02x}", c), "base64");
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU);
  }
  return bytes;
}

/// The table of the first `Precompiled` normaliser, which may stand in a sequence of others.
std::string charsmap_of(const Json& normalizer, const std::string& where) {
  if (!normalizer.is_object()) return {};
  if (normalizer.value("type", Json()) == "Precompiled") {
    const Json table = normalizer.value("precompiled_charsmap", Json());
    return table.is_string() ? from_base64(table.get<std::string>(), where + ": precompiled_charsmap") : std::string();
  }
  for (const Json& part : normalizer.value("normalizers", Json::array())) {
    if (auto found = charsmap_of(part, where); !found.empty()) return found;
  }
  return {};
}

}  // namespace

SentencePieceModel read_unigram_json(const std::filesystem::path& path) {
  using Type = SentencePieceModel::Type;
  const Json json = read_json_file(path);
  SentencePieceModel model;
  model.where = path.string();
  const Json parts = json.is_object() ? json.value("model", Json()) : Json();
  const Json type = parts.is_object() ? parts.value("type", Json()) : Json();
  if (type != "Unigram") fail(model.where, "a model of type " + type.dump(), "\"Unigram\"");
  for (const Json& entry : parts.value("vocab", Json::array())) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      fail(model.where + ": model.vocab", entry.dump(), "[piece, score]");
    }
    model.pieces.push_back({.text = entry[0].get<std::string>(), .score = entry[1].get<float>(), .type = Type::normal});
  }
  const Json unknown = parts.value("unk_id", Json());
  if (!unknown.is_number_unsigned() || unknown.get<std::uint64_t>() >= model.pieces.size()) {
    fail(model.where + ": model.unk_id", unknown.dump(), fmt::format("an id below {}", model.pieces.size()));
  }
  model.unknown = unknown.get<std::int64_t>();
  model.pieces[unknown.get<std::size_t>()].type = Type::unknown;
  for (const Json& token : json.value("added_tokens", Json::array())) {
    const Json id = token.is_object() ? token.value("id", Json()) : Json();
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= model.pieces.size()) continue;
    auto& piece = model.pieces[id.get<std::size_t>()];
    if (token.value("special", Json(false)) == true && piece.type == Type::normal) piece.type = Type::control;
  }
  model.charsmap = charsmap_of(json.value("normalizer", Json()), model.where);
  return model;
}

}  // namespace atelier
