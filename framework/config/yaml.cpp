#include "framework/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "framework/core/text.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxLine = 10000;  // yaml-cpp's time grows with the square of a line's brackets
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxNodes = 100000;

/// Ends the parsing; the fault is already added.
struct Stop {};

void add_alias(const SourcePosition& at, Faults& faults) {
  faults.add(at, "an alias", "the value itself", "a study has no anchors: write the value out, or use the sweep");
}

/// Length of the UTF-8 character at `i`, 0 when there is none (overlong forms and surrogates are none).
std::size_t character_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const auto follows = [&](std::size_t k) { return (byte(k) & 0xC0U) == 0x80U; };
  const unsigned first = byte(i);
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first < 0xE0U) return follows(i + 1) ? 2 : 0;
  if (first >= 0xE0U && first < 0xF0U) {
    const bool odd = (first == 0xE0U && byte(i + 1) < 0xA0U) || (first == 0xEDU && byte(i + 1) >= 0xA0U);
    return !odd && follows(i + 1) && follows(i + 2) ? 3 : 0;
  }
  if (first < 0xF0U || first > 0xF4U) return 0;
  const bool odd = (first == 0xF0U && byte(i + 1) < 0x90U) || (first == 0xF4U && byte(i + 1) >= 0x90U);
  return !odd && follows(i + 1) && follows(i + 2) && follows(i + 3) ? 4 : 0;
}

/// Refuses what no YAML reader should guess about: other encodings, control characters, tabs as indentation.
class TextCheck {
 public:
  TextCheck(std::string_view text, Faults& faults) : text_(text), faults_(faults) {}

  void run() {
    for (std::size_t i = 0; i < text_.size();) {
      const auto length = character_length(text_, i);
      if (length == 0) stop("a byte that is not UTF-8", "text in UTF-8", "save the file as UTF-8");
      check(text_[i]);
      i += length;
    }
  }

 private:
  void check(char c) {
    const auto value = static_cast<unsigned char>(c);
    if (c == '\n') {
      at_ = {.line = at_.line + 1, .column = 1};
      indentation_ = true;
      return;
    }
    if (c == '\t' && indentation_) stop("a tab in the indentation", "spaces", "replace tabs by spaces");
    if ((value < 0x20 && c != '\t' && c != '\r') || value == 0x7F) {
      stop(fmt::format("the control character 0x{:02x}", value), "printable text", "");
    }
    if (c != ' ') indentation_ = false;
    if (++at_.column > kMaxLine) stop("a line of more than 10,000 characters", "shorter lines", "");
  }

  [[noreturn]] void stop(std::string found, std::string expected, std::string advice) {
    faults_.add(at_, std::move(found), std::move(expected), std::move(advice));
    throw Stop{};
  }

  std::string_view text_;
  Faults& faults_;
  SourcePosition at_{.line = 1, .column = 1};
  bool indentation_ = true;
};

/// yaml-cpp counts lines from 0 and columns in bytes.
class Positions {
 public:
  explicit Positions(std::string_view text) : text_(text) {
    starts_.push_back(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  [[nodiscard]] SourcePosition of(const YAML::Mark& mark) const {
    const auto line = static_cast<std::size_t>(std::max(mark.line, 0));
    const auto bytes = static_cast<std::size_t>(std::max(mark.column, 0));
    if (line >= starts_.size()) return {.line = line + 1, .column = bytes + 1};
    const auto before = text_.substr(starts_[line], bytes);
    const auto characters =
        std::ranges::count_if(before, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
    return {.line = line + 1, .column = static_cast<std::size_t>(characters) + 1};
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

/// Builds the tree from yaml-cpp's events: aliases never become nodes, so nothing can grow beyond the text's size.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Positions& positions, Faults& faults) : positions_(positions), faults_(faults) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) stop(mark, "a second document", "one document", "remove the line ---");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(make(YamlNode::Kind::null, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    add_alias(positions_.of(mark), faults_);
    throw Stop{};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    auto node = make(YamlNode::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag != "?";
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> key = std::nullopt;
    bool repeated = false;  // the open key stood there before: its value is dropped
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string found, std::string expected, std::string advice) {
    faults_.add(positions_.of(mark), std::move(found), std::move(expected), std::move(advice));
    throw Stop{};
  }

  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) stop(mark, "an anchor", "the value alone", "a study has no anchors: remove the &name");
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    stop(mark, fmt::format("the tag {}", tag), "no tags", "put a text in quotes, write a number as it is");
  }

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) stop(mark, "more than 100,000 values", "a smaller file", "");
    YamlNode node;
    node.kind = kind;
    node.at = positions_.of(mark);
    return node;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) stop(mark, "a list or mapping as a key", "a text as key", "");
    if (open_.size() >= kMaxDepth) stop(mark, "more than 32 levels", "at most 32 levels", "");
    open_.push_back({.node = make(kind, mark)});
  }

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::map && !open_.back().key;
  }

  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (expects_key()) {
      add_key(std::move(node));
    } else if (open_.back().node.kind == YamlNode::Kind::list) {
      open_.back().node.items.push_back(std::move(node));
    } else {
      auto& parent = open_.back();
      parent.key->value = std::move(node);
      if (!parent.repeated) parent.node.entries.push_back(std::move(*parent.key));
      parent.key.reset();
    }
  }

  void add_key(YamlNode node) {
    auto& parent = open_.back();
    if (node.kind == YamlNode::Kind::null) faults_.add(node.at, "a key without a name", "a text as key");
    if (node.text == "<<" && !node.quoted) {
      faults_.add(node.at, "the merge key <<", "the keys themselves", "write them out");
      node.text.clear();
    }
    const auto* first = parent.node.find(node.text);
    // A key that is already faulty (or stood there before) keeps its place, so that its value is read as a value.
    parent.repeated = first != nullptr || node.text.empty();
    if (first != nullptr) {
      faults_.add(node.at, fmt::format("the key \"{}\" twice", node.text), "each key once",
                  fmt::format("it stands first in line {}", first->at.line));
    }
    parent.key = YamlEntry{.key = std::move(node.text), .at = node.at, .value = {}};
  }

  const Positions& positions_;
  Faults& faults_;
  YamlNode root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

void parse_events(std::string_view text, TreeBuilder& builder, const Positions& positions, Faults& faults) {
  try {
    // With an explicit end of the document yaml-cpp notices a quote that is never closed.
    std::istringstream stream(std::string(text) + (text.ends_with('\n') ? "...\n" : "\n...\n"));
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return;
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    // An alias of nothing never becomes an event.
    if (error.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR) return add_alias(positions.of(error.mark), faults);
    if (error.msg == YAML::ErrorMsg::DOC_IN_SCALAR) {
      return faults.add(positions.of(error.mark), "the end of a text whose quote is not closed", "a closing quote");
    }
    const auto at = error.mark.is_null() ? SourcePosition{.line = 1, .column = 1} : positions.of(error.mark);
    faults.add(at, "not YAML: " + error.msg, "", "check brackets, quotes and indentation around this place");
  }
}

}  // namespace

const YamlEntry* YamlNode::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &YamlEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

YamlNode parse_yaml(std::string_view text, Faults& faults) {
  if (text.size() > kMaxBytes) {
    faults.add({.line = 1, .column = 1}, fmt::format("{} bytes", text.size()), "at most 1 MiB", "");
    return {};
  }
  const Positions positions(text);
  TreeBuilder builder(positions, faults);
  try {
    TextCheck(text, faults).run();
    parse_events(text, builder, positions, faults);
  } catch (const Stop&) {
    return {};
  }
  return builder.take();
}

}  // namespace atelier
