#include "framework/formats/pipeline_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

struct Supported {
  std::string_view component;
  std::array<std::string_view, 2> types;
};
constexpr std::array<Supported, 4> kSupported = {
    {{"unet", {"UNet2DConditionModel", "UNet2DConditionModel"}},
     {"vae", {"AutoencoderKL", "AutoencoderKL"}},
     {"text_encoder", {"CLIPTextModel", "CLIPTextModelWithProjection"}},
     {"text_encoder_2", {"CLIPTextModelWithProjection", "CLIPTextModel"}}}};

/// A component's name becomes a folder's name, so it must be one step down and no more.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

Json read_object(const fs::path& path, const std::string& what) {
  if (!fs::is_regular_file(path)) {
    throw Error({.where = path.string(),
                 .found = fs::exists(path.parent_path()) ? "no such file" : "no such folder",
                 .expected = what});
  }
  auto json = read_python_json_file(path);
  if (!json.is_object()) throw Error({.where = path.string(), .found = "no object", .expected = what});
  return json;
}

void check_type(const fs::path& index, const std::string& name, const ListedComponent& component) {
  for (const auto& [supported, types] : kSupported) {
    if (name != supported || std::find(types.begin(), types.end(), component.type) != types.end()) continue;
    throw Error({.where = index.string(),
                 .found = fmt::format("{}: {}", name, quote(component.type)),
                 .expected = std::string(types[0]),
                 .advice = "this program knows SD 1.x, SD 2.x and SDXL"});
  }
  if (name == "transformer") {
    throw Error({.where = index.string(),
                 .found = fmt::format("a diffusion transformer ({})", quote(component.type)),
                 .expected = "a pipeline with a UNet: SD 1.x, SD 2.x or SDXL"});
  }
}

/// "name": [library, class]; a list of anything else is an option, [null, null] an absent component.
std::map<std::string, ListedComponent> listed_components(const Json& index, const fs::path& path) {
  std::map<std::string, ListedComponent> components;
  for (const auto& [name, value] : index.items()) {
    if (name.starts_with('_') || !value.is_array() || value.size() != 2) continue;
    if (!value[0].is_string() || !value[1].is_string()) continue;
    if (!is_plain_name(name)) {
      throw Error({.where = path.string(),
                   .found = "the component " + quote(name),
                   .expected = "the name of a folder beside it"});
    }
    const ListedComponent component{value[0].get<std::string>(), value[1].get<std::string>()};
    check_type(path, name, component);
    components.emplace(name, component);
  }
  return components;
}

}  // namespace

PipelineFolder PipelineFolder::open(const fs::path& folder) {
  PipelineFolder pipeline;
  pipeline.path_ = folder;
  const auto path = folder / "model_index.json";
  pipeline.index_ =
      std::make_shared<const Json>(read_object(path, "the index of a pipeline in the layout of diffusers"));
  pipeline.components_ = listed_components(*pipeline.index_, path);
  return pipeline;
}

const ListedComponent& PipelineFolder::listed(const std::string& name) const {
  const auto found = components_.find(name);
  if (found == components_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, component] : components_) names.push_back(known);
    throw Error({.where = (path_ / "model_index.json").string(),
                 .found = fmt::format("no component \"{}\"", name),
                 .expected = "one of " + join(names)});
  }
  return found->second;
}

ComponentFolder PipelineFolder::component(const std::string& name) const {
  static_cast<void>(listed(name));
  return ComponentFolder::open(path_ / name);
}

fs::path PipelineFolder::tokenizer_folder(const std::string& name) const {
  const auto& type = listed(name).type;
  if (!type.starts_with("CLIPTokenizer")) {
    throw Error({.where = (path_ / "model_index.json").string(),
                 .found = fmt::format("{}: {}", name, quote(type)),
                 .expected = "CLIPTokenizer"});
  }
  if (!fs::is_directory(path_ / name)) {
    throw Error(
        {.where = (path_ / name).string(), .found = "no such folder", .expected = "the files of the tokenizer"});
  }
  return path_ / name;
}

Json PipelineFolder::scheduler_config() const {
  const auto type = listed("scheduler").type;
  auto config = read_object(path_ / "scheduler" / "scheduler_config.json", "the configuration of the noise schedule");
  if (!config.contains("_class_name")) config["_class_name"] = type;
  return config;
}

}  // namespace atelier
