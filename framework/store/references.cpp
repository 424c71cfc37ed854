#include "framework/store/references.h"

#include <nlohmann/json.hpp>

#include "framework/store/names.h"

namespace atelier {

void collect_digests(const Json& json, std::set<std::string>& digests) {
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (is_digest(text)) digests.insert(text);
  } else if (json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      if (is_digest(name)) digests.insert(name);
      collect_digests(value, digests);
    }
  } else if (json.is_array()) {
    for (const auto& value : json) collect_digests(value, digests);
  }
}

std::set<std::string> objects_of(const KeyRecord& record) {
  std::set<std::string> objects(record.divergent.begin(), record.divergent.end());
  objects.insert(record.object);
  const auto losses = record.summary.is_object() ? record.summary.find("losses") : record.summary.end();
  if (losses != record.summary.end() && losses->is_string() && is_digest(losses->get_ref<const std::string&>())) {
    objects.insert(losses->get<std::string>());
  }
  for (const Json& removed : member_or_null(record.summary, "removed")) {
    if (removed.is_string()) objects.erase(removed.get<std::string>());
  }
  return objects;
}

}  // namespace atelier
