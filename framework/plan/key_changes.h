#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// One part of a key that differs between two descriptions.
struct KeyChange {
  std::string what;                  ///< in words: "option learning_rate", "photos", "threads of a worker"
  std::string path;                  ///< in the description: "options.learning_rate"
  Json before, after;                ///< null: absent
  std::vector<std::string> through;  ///< what lies between, the nearest first: "train textreg/ti step 3"; empty: itself

  [[nodiscard]] bool operator==(const KeyChange&) const = default;
};

/// The description behind a key, where it is known.
using DescriptionLookup = std::function<std::optional<Json>(const std::string& key)>;

/// What differs between two descriptions of one kind. Where they name keys of other things (inputs, an artifact,
/// pictures), what differs in those stands instead, if `find` knows both; a cause that many share is told once.
[[nodiscard]] std::vector<KeyChange> key_changes(const Json& before, const Json& after, const DescriptionLookup& find);

/// "option lora_rank: 4 → 8", "photos: 1 added (3f2a91…), 1 removed (…); in train textreg/ti step 3".
[[nodiscard]] std::string change_text(const KeyChange& change);

/// "train textreg/ut step 140", "pictures of \"a <dog> in snow\"", "scores by ti_code": what a description is of.
[[nodiscard]] std::string description_title(const Json& description);

/// A value in a line of text: digests and long values shortened.
[[nodiscard]] std::string short_value(const Json& value);

}  // namespace atelier
