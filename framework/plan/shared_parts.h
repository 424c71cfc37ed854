#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// Members that many objects of a manifest have in common (store/manifest_parts.h), with their canonical texts, so that
/// a key over them needs them written once.
struct SharedPart {
  std::string name;                                        ///< in the manifest's `shared`
  std::vector<std::pair<std::string, std::string>> texts;  ///< member -> `"member":value`
};

/// The parts of a manifest that is being built.
class SharedParts {
 public:
  /// The part with these members (an object); equal ones are one. Lives as long as this.
  const SharedPart& part(const Json& members);
  /// name -> members: the manifest's `shared`.
  [[nodiscard]] Json take() { return std::move(values_); }

 private:
  std::map<std::string, SharedPart> parts_;  // by their text
  Json values_ = Json::object();
};

/// An object in parts. No member of a description is in two of them; of what a job is told its own counts.
using Parts = std::vector<const SharedPart*>;

/// `own` with the names of the parts, as a manifest has it.
[[nodiscard]] Json with_parts(const Parts& parts, Json own);
/// key_of() of the whole object.
[[nodiscard]] std::string key_of_parts(const Parts& parts, const Json& own);

}  // namespace atelier
