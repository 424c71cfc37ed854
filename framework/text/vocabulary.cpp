#include "framework/text/vocabulary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"

namespace atelier {
namespace {

constexpr std::int64_t kMaxId = (1 << 24) - 1;

/// nlohmann's event interface: every event but "key" and "integer" is a fault.
class VocabularyEvents : public nlohmann::json_sax<Json> {
 public:
  VocabularyEvents(Vocabulary& vocabulary, const std::string& where) : vocabulary_(vocabulary), where_(where) {}

  bool key(string_t& text) override {
    key_ = std::move(text);
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!open_ || value > static_cast<number_unsigned_t>(kMaxId)) return fail(fmt::format("the number {}", value));
    vocabulary_.insert(std::move(key_), static_cast<std::int64_t>(value), where_);
    return true;
  }
  bool start_object(std::size_t) override {
    if (open_) return fail("an object");
    return open_ = true;
  }
  bool end_object() override { return true; }
  bool null() override { return fail("null"); }
  bool boolean(bool) override { return fail("a boolean"); }
  bool number_integer(number_integer_t value) override { return fail(fmt::format("the number {}", value)); }
  bool number_float(number_float_t, const string_t& text) override { return fail("the number " + text); }
  bool string(string_t&) override { return fail("a string"); }
  bool binary(binary_t&) override { return fail("binary data"); }
  bool start_array(std::size_t) override { return fail("an array"); }
  bool end_array() override { return true; }
  bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception&) override {
    throw Error({.where = where_, .found = fmt::format("not JSON at byte {}", byte), .expected = "a vocabulary"});
  }

 private:
  [[noreturn]] bool fail(const std::string& found) const {
    throw Error({.where = where_,
                 .found = open_ ? fmt::format("{} as the id of \"{}\"", found, key_) : found,
                 .expected = fmt::format("one object of tokens with ids in 0…{}", kMaxId)});
  }

  Vocabulary& vocabulary_;
  const std::string& where_;
  std::string key_;
  bool open_ = false;
};

}  // namespace

Vocabulary Vocabulary::parse(std::string_view json, const std::string& where) {
  Vocabulary vocabulary;
  vocabulary.ids_.reserve(json.size() / 16);  // an entry of CLIP's takes 17 bytes on average
  VocabularyEvents events(vocabulary, where);
  Json::sax_parse(json.begin(), json.end(), &events);
  return vocabulary;
}

std::optional<std::int64_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional<std::int64_t>(found->second);
}

bool Vocabulary::has_id(std::int64_t id) const noexcept {
  return id >= 0 && id < end_id() && used_[static_cast<std::size_t>(id)];
}

void Vocabulary::insert(std::string token, std::int64_t id, const std::string& where) {
  if (id < 0 || id > kMaxId || has_id(id)) {
    throw Error({.where = where,
                 .found = fmt::format("the id {} for \"{}\"", id, token),
                 .expected = has_id(id) ? "an id that no other token has" : fmt::format("an id in 0…{}", kMaxId)});
  }
  const auto [place, is_new] = ids_.emplace(std::move(token), static_cast<std::int32_t>(id));
  if (!is_new) throw Error({.where = where, .found = fmt::format("the token \"{}\" twice", place->first)});
  if (id >= end_id()) used_.resize(static_cast<std::size_t>(id) + 1, false);
  used_[static_cast<std::size_t>(id)] = true;
}

}  // namespace atelier
