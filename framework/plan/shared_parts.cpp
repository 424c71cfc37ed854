#include "framework/plan/shared_parts.h"

#include <algorithm>

#include "framework/core/digest.h"

namespace atelier {
namespace {

std::string canonical_text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::strict); }

std::vector<std::pair<std::string, std::string>> member_texts(const Json& members) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const auto& [name, value] : members.items()) {
    texts.emplace_back(name, canonical_text_of(name) + ':' + canonical_text_of(value));
  }
  return texts;
}

}  // namespace

const SharedPart& SharedParts::part(const Json& members) {
  const auto [found, fresh] = parts_.emplace(canonical_text_of(members), SharedPart{});
  if (!fresh) return found->second;
  found->second = {.name = std::to_string(parts_.size() - 1), .texts = member_texts(members)};
  values_[found->second.name] = members;
  return found->second;
}

Json with_parts(const Parts& parts, Json own) {
  Json& names = own["shared"] = Json::array();
  for (const SharedPart* part : parts) names.push_back(part->name);
  return own;
}

std::string key_of_parts(const Parts& parts, const Json& own) {
  const auto own_texts = member_texts(own);
  std::vector<std::pair<std::string_view, std::string_view>> all(own_texts.begin(), own_texts.end());
  for (const SharedPart* part : parts) all.insert(all.end(), part->texts.begin(), part->texts.end());
  std::ranges::sort(all, {}, [](const auto& member) { return member.first; });
  Sha256 digest;
  std::string_view before = "{";
  for (const auto& [name, text] : all) {
    digest.update(before);
    digest.update(text);
    before = ",";
  }
  digest.update(all.empty() ? "{}" : "}");
  return digest.hex();
}

}  // namespace atelier
