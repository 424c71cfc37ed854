#include "framework/formats/lora_targets.h"

namespace atelier {

void ModuleNames::add(const std::string& component, std::string_view parameter, std::span<const std::int64_t> shape) {
  constexpr std::string_view kWeight = ".weight";
  if (!parameter.ends_with(kWeight) || (shape.size() != 2 && shape.size() != 4)) return;
  parameter.remove_suffix(kWeight.size());
  if (parameter.ends_with("_embedding")) return;  // token and position tables; time_embedding is only a parent
  components_[component].insert_or_assign(std::string(parameter), WeightShape(shape.begin(), shape.end()));
}

void ModuleNames::add_all(const std::string& component, const std::map<std::string, TensorView>& tensors) {
  for (const auto& [name, view] : tensors) add(component, name, view.shape);
}

const WeightShape* ModuleNames::find(const std::string& component, const std::string& path) const {
  const auto modules = components_.find(component);
  if (modules == components_.end()) return nullptr;
  const auto found = modules->second.find(path);
  return found == modules->second.end() ? nullptr : &found->second;
}

}  // namespace atelier
