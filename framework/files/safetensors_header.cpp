#include "framework/files/safetensors_header.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

constexpr std::size_t kHeaderBegin = 8;  // byte of the file at which the JSON begins
constexpr int kMaxDepth = 127;           // serde_json, the reference's parser, stops at 128
constexpr const char* kDamagedHeader =
    "the file is damaged or not written by a safetensors library: fetch or convert it again";

// The reference's list, in its order of alignment.
constexpr std::array<StoredDtype, 22> kStoredDtypes{
    {{"BOOL", 8, Dtype::boolean}, {"F4", 4, {}},           {"F6_E2M3", 6, {}},        {"F6_E3M2", 6, {}},
     {"U8", 8, Dtype::u8},        {"I8", 8, Dtype::i8},    {"F8_E5M2", 8, {}},        {"F8_E4M3", 8, {}},
     {"F8_E8M0", 8, {}},          {"F8_E4M3FNUZ", 8, {}},  {"F8_E5M2FNUZ", 8, {}},    {"I16", 16, Dtype::i16},
     {"U16", 16, Dtype::u16},     {"F16", 16, Dtype::f16}, {"BF16", 16, Dtype::bf16}, {"I32", 32, Dtype::i32},
     {"U32", 32, Dtype::u32},     {"F32", 32, Dtype::f32}, {"C64", 64, {}},           {"F64", 64, Dtype::f64},
     {"I64", 64, Dtype::i64},     {"U64", 64, Dtype::u64}}};

/// Walks over the text and tells how far the parser has come: the parser itself does not tell its handler.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

/// Takes the JSON events one by one. A tree of the whole header would have lost what we must refuse: repeated keys, -0
/// and 2.0 as dimensions.
class HeaderHandler final : public nlohmann::json_sax<Json> {
 public:
  HeaderHandler(const std::string& where, const std::size_t& position) : where_(where), position_(position) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() override {
    if (place_ == Place::header && name_ == kMetadata) return true;
    return scalar("null");
  }
  bool boolean(bool /*value*/) override { return scalar("a boolean"); }
  // The lexer calls this for every number with a minus sign, and so for -0.
  bool number_integer(number_integer_t /*value*/) override { return scalar("a number with a minus sign"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      entry_.shape.push_back(value);
    } else if (place_ == Place::offsets) {
      offsets_.push_back(value);
    } else {
      return scalar("a number");
    }
    return true;
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return scalar(fmt::format("the number {}, which is not an integer from 0 to 2^64-1", text.substr(0, 40)));
  }
  bool binary(binary_t& /*value*/) override { return scalar("binary data"); }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      header_.metadata[metadata_key_] = std::move(value);
      return true;
    }
    if (place_ != Place::entry || field_ != Field::dtype) return scalar("the string " + quote(value));
    for (const auto& row : kStoredDtypes) {
      if (row.name == value) entry_.dtype = &row;
    }
    if (entry_.dtype == nullptr) {
      fail("the unknown dtype " + quote(value),
           "one of BOOL, U8, I8, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64");
    }
    return true;
  }

  bool start_object(std::size_t /*elements*/) override {
    deepen();
    if (place_ == Place::before) {
      place_ = Place::header;
    } else if (place_ == Place::header) {
      place_ = name_ == kMetadata ? Place::metadata : Place::entry;
      begin_entry();
    } else if (ignores()) {
      ++ignored_depth_;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    --depth_;
    if (ignored_depth_ > 0) {
      --ignored_depth_;
    } else if (place_ == Place::header) {
      place_ = Place::after;
    } else {
      if (place_ == Place::entry) finish_entry();
      place_ = Place::header;
    }
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    deepen();
    if (ignores()) {
      ++ignored_depth_;
    } else if (place_ == Place::entry && field_ == Field::shape) {
      place_ = Place::shape;
    } else if (place_ == Place::entry && field_ == Field::offsets) {
      place_ = Place::offsets;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    --depth_;
    if (ignored_depth_ > 0) {
      --ignored_depth_;
    } else {
      place_ = Place::entry;
    }
    return true;
  }

  bool key(string_t& value) override {
    if (ignored_depth_ > 0) return true;
    if (place_ == Place::header) {
      name_ = value;
      if (!names_.insert(std::move(value)).second) fail("the name occurs twice", "each name once");
    } else if (place_ == Place::metadata) {
      metadata_key_ = std::move(value);
      if (header_.metadata.contains(metadata_key_)) fail("the key " + quote(metadata_key_) + " twice", "each key once");
    } else {
      choose_field(value);
    }
    return true;
  }

  bool parse_error(std::size_t byte, const std::string& /*token*/, const nlohmann::detail::exception& error) override {
    // The library's text is "[json.exception.…] parse error at …: syntax error while parsing value - what it is; …".
    std::string_view text = error.what();
    const auto dash = text.find(" - ");
    text = dash == std::string_view::npos ? text : text.substr(dash + 3);
    throw Error({.where = fmt::format("{}: header, byte {}", where_, kHeaderBegin + byte - (byte > 0 ? 1 : 0)),
                 .found = fmt::format("not JSON ({})", quote(text)),
                 .expected = "one JSON object in UTF-8",
                 .advice = kDamagedHeader});
  }

 private:
  enum class Place { before, header, metadata, entry, shape, offsets, after };
  enum class Field { none, dtype, shape, offsets, other };
  static constexpr std::string_view kMetadata = "__metadata__";

  [[noreturn]] void fail(std::string found, std::string expected) const {
    const bool metadata = name_ == kMetadata;
    const auto key = place_ == Place::before ? std::string("header") : (metadata ? "" : "tensor ") + quote(name_);
    throw Error({.where = fmt::format("{}: {}, byte {}", where_, key, kHeaderBegin + position_),
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = kDamagedHeader});
  }

  [[noreturn]] void unexpected(const std::string& found) const {
    switch (place_) {
      case Place::before:
        fail(found, "an object {…} that holds all tensors");
      case Place::metadata:
        fail(fmt::format("{} under the key {}", found, quote(metadata_key_)), "a string");
      case Place::shape:
        fail(found + " in the shape", "dimensions as integers from 0 to 2^64-1");
      case Place::offsets:
        fail(found + " in data_offsets", "two integers from 0 to 2^64-1");
      case Place::entry:
        fail(fmt::format("{} as {}", found, field_text()),
             field_ == Field::dtype ? "a string" : "an array of integers");
      default:
        break;
    }
    fail(found,
         name_ == kMetadata ? "an object of strings" : R"(an object {"dtype": …, "shape": …, "data_offsets": …})");
  }

  [[nodiscard]] bool ignores() const {
    return ignored_depth_ > 0 || (place_ == Place::entry && field_ == Field::other);
  }

  bool scalar(const std::string& found) {
    if (!ignores()) unexpected(found);
    return true;
  }

  void deepen() {
    if (++depth_ > kMaxDepth) fail(fmt::format("nesting deeper than {} levels", kMaxDepth), "");
  }

  [[nodiscard]] std::string_view field_text() const {
    return field_ == Field::dtype ? "dtype" : field_ == Field::shape ? "shape" : "data_offsets";
  }

  void begin_entry() {
    entry_ = HeaderEntry{.name = name_, .dtype = nullptr, .shape = {}, .position = kHeaderBegin + position_};
    offsets_.clear();
    seen_ = {};
    field_ = Field::none;
  }

  void choose_field(std::string_view key) {
    field_ = key == "dtype"          ? Field::dtype
             : key == "shape"        ? Field::shape
             : key == "data_offsets" ? Field::offsets
                                     : Field::other;
    if (field_ == Field::other) return;
    bool& seen = seen_[static_cast<std::size_t>(field_)];
    if (seen) fail(fmt::format("the field {} twice", key), "each field once");
    seen = true;
  }

  void finish_entry() {
    for (const Field field : {Field::dtype, Field::shape, Field::offsets}) {
      field_ = field;
      if (!seen_[static_cast<std::size_t>(field)]) {
        fail(fmt::format("no {}", field_text()), "dtype, shape and data_offsets");
      }
    }
    if (offsets_.size() != 2) fail(fmt::format("{} data_offsets", offsets_.size()), "two, [BEGIN, END]");
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    header_.entries.push_back(std::move(entry_));
  }

  const std::string& where_;
  const std::size_t& position_;  // bytes of the header that the parser has read
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::before;
  Field field_ = Field::none;
  std::string name_;
  std::string metadata_key_;
  HeaderEntry entry_;
  std::vector<std::uint64_t> offsets_;
  std::array<bool, 5> seen_{};  // by Field
  int depth_ = 0;
  int ignored_depth_ = 0;  // containers open inside a field that we ignore
};

/// The two things that the JSON library lets pass: it skips a byte order mark and takes NUL for the end of the text.
void check_bytes(std::string_view text, const std::string& where) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    throw Error({.where = where + ": header, byte 8",
                 .found = "a UTF-8 byte order mark",
                 .expected = "the { of a JSON object",
                 .advice = kDamagedHeader});
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    throw Error({.where = fmt::format("{}: header, byte {}", where, kHeaderBegin + nul),
                 .found = "a NUL byte",
                 .expected = "JSON; padding is made of spaces",
                 .advice = kDamagedHeader});
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& where) {
  check_bytes(text, where);
  std::size_t position = 0;
  HeaderHandler handler(where, position);
  Json::sax_parse(CountingIterator(text.data(), &position), CountingIterator(text.data() + text.size(), &position),
                  &handler);
  return handler.take();
}

}  // namespace atelier
