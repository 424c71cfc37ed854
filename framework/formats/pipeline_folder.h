#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/json.h"
#include "framework/formats/component_folder.h"

namespace atelier {

/// A component as model_index.json lists it.
struct ListedComponent {
  std::string library;  ///< "diffusers", "transformers"
  std::string type;     ///< class name
};

/// A pipeline in the layout of diffusers; formats.md 1. Opening reads model_index.json; everything else is read when
/// asked.
class PipelineFolder {
 public:
  /// Throws Error (file and key) for a missing or damaged model_index.json, for component names that would leave the
  /// folder, and for models of another architecture than SD 1.x, 2.x and SDXL.
  [[nodiscard]] static PipelineFolder open(const std::filesystem::path& folder);

  /// The whole of model_index.json, unknown keys included.
  [[nodiscard]] const Json& index() const noexcept { return *index_; }
  /// Without those that the index lists as [null, null].
  [[nodiscard]] const std::map<std::string, ListedComponent>& components() const noexcept { return components_; }
  [[nodiscard]] bool has(const std::string& name) const { return components_.contains(name); }
  /// Throws Error when the index does not list it or its folder lacks config.json.
  [[nodiscard]] ComponentFolder component(const std::string& name) const;
  /// "tokenizer" or "tokenizer_2". Throws Error when the folder is not there.
  [[nodiscard]] std::filesystem::path tokenizer_folder(const std::string& name) const;
  /// scheduler/scheduler_config.json as it is: absent keys take the defaults of the class that will be built.
  [[nodiscard]] Json scheduler_config() const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  [[nodiscard]] const ListedComponent& listed(const std::string& name) const;

  std::filesystem::path path_;
  std::shared_ptr<const Json> index_;
  std::map<std::string, ListedComponent> components_;
};

}  // namespace atelier
