#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// One word of a configuration key and what it stands for.
template <class Enum>
using Word = std::pair<std::string_view, Enum>;

/// Reads the keys of one scheduler_config.json as one scheduler knows them. An override (`--set KEY=VALUE`) wins over
/// the file, an absent key takes the default named by the caller: that is the class being built, not the class in the
/// file. Keys of the file that nobody reads are ignored, as in diffusers; an override that nobody reads is a usage
/// error. Every getter throws Error naming the key, what was found and what was expected. Borrows both JSON objects:
/// they must outlive the reader.
class SchedulerSettings {
 public:
  /// `scheduler` is the name errors carry. Both are objects; `overrides` may also be null.
  SchedulerSettings(std::string scheduler, const Json& config, const Json& overrides);

  /// null counts as false where the reference takes an optional bool.
  [[nodiscard]] bool boolean(std::string_view key, bool fallback);
  [[nodiscard]] double number(std::string_view key, double fallback);
  [[nodiscard]] std::optional<double> optional_number(std::string_view key);
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                                     std::int64_t most);
  /// Empty when absent or null.
  [[nodiscard]] std::vector<double> numbers(std::string_view key);
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key);

  template <class Enum>
  [[nodiscard]] Enum choice(std::string_view key, Enum fallback, std::span<const Word<Enum>> words) {
    std::vector<std::string> names;
    for (const auto& word : words) names.emplace_back(word.first);
    const auto index = choice_index(key, names);
    return index ? words[*index].second : fallback;
  }

  /// A switch that we do not have: only false (or null, or absent) is accepted.
  void refuse(std::string_view key);
  /// A key that the class knows but that changes nothing here.
  void ignore(std::string_view key) { known_.emplace_back(key); }
  /// Call last. Throws a usage error for an override whose key was never asked for, with the nearest key that was.
  void finish() const;

  /// Throws for a value that no getter can judge by itself, e.g. one that clashes with another key.
  [[noreturn]] void fail(std::string_view key, std::string found, std::string expected, std::string advice = {}) const;

 private:
  [[nodiscard]] const Json* find(std::string_view key);
  [[nodiscard]] bool overridden(std::string_view key) const;
  [[nodiscard]] std::optional<std::size_t> choice_index(std::string_view key, const std::vector<std::string>& names);

  std::string scheduler_;
  const Json* config_;
  const Json* overrides_;
  std::vector<std::string> known_;
};

}  // namespace atelier
