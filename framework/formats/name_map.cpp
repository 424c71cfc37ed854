#include "framework/formats/name_map.h"

namespace atelier {

void NameMap::pair(const std::string& ldm, const std::string& diffusers) {
  to_diffusers_.emplace(ldm, diffusers);
  to_ldm_.emplace(diffusers, ldm);
}

std::optional<std::string> NameMap::to_diffusers(std::string_view ldm) const { return translate(to_diffusers_, ldm); }

std::optional<std::string> NameMap::to_ldm(std::string_view diffusers) const { return translate(to_ldm_, diffusers); }

std::optional<std::string> NameMap::translate(const Names& names, std::string_view name) {
  for (auto end = name.size(); end != std::string_view::npos; end = end == 0 ? end - 1 : name.rfind('.', end - 1)) {
    if (const auto found = names.find(std::string(name.substr(0, end))); found != names.end()) {
      return found->second + std::string(name.substr(end));
    }
  }
  return std::nullopt;
}

}  // namespace atelier
