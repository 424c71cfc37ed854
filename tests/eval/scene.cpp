#include "tests/eval/scene.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;
using namespace atelier;

const fs::path kFolder = fs::path(ATELIER_SOURCE_DIR) / "tests/eval";

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

}  // namespace

Scene::Scene(const std::string& subject) {
  const auto folder = kFolder / "pictures";
  references = pictures((folder / "references" / subject).string());
  for (const auto& reference : references) names.push_back(fs::path(reference.name).filename().string());
  read_sheet(subject);
  encoders["clip"] = eval::open_encoder({.folder = kFolder / "models/clip_tiny", .tokenizer = {}, .variant = ""}, {});
}

eval::Picture Scene::picture(const std::string& path) {
  files.push_back(MappedFile::open(path));
  return {.name = path, .bytes = files.back()->bytes(), .floats = std::nullopt};
}

std::vector<eval::Picture> Scene::pictures(const std::string& folder) {
  std::vector<eval::Picture> found;
  for (const auto& file : files_in(folder)) found.push_back(picture(file));
  return found;
}

void Scene::read_sheet(const std::string& subject) {
  const YAML::Node sheet = YAML::LoadFile((kFolder / "references/sheet.yaml").string());
  const auto index = [&](const YAML::Node& name) {
    return static_cast<std::size_t>(std::ranges::find(names, name.as<std::string>()) - names.begin());
  };
  std::vector<std::string> wanted;
  for (const auto& entry : sheet["concepts"]) {
    if (entry["name"].as<std::string>() != subject) continue;
    if (entry["prompts"]) wanted = entry["prompts"].as<std::vector<std::string>>();
    for (const auto& pair : entry["duplicates"]) duplicates.emplace_back(index(pair[0]), index(pair[1]));
  }
  for (const auto& prompt : sheet["prompts"]) {
    const auto id = prompt["id"].as<std::string>();
    if (!wanted.empty() && std::ranges::find(wanted, id) == wanted.end()) continue;
    sets.push_back({.prompt = id,
                    .text = prompt["text"].as<std::string>(),
                    .class_word = "",
                    .pictures = pictures((kFolder / "pictures/generated" / subject / id).string())});
  }
}

eval::Protocol ti_protocol(std::int64_t rows) {
  const Json settings{{"id", "ti_code"},
                      {"text_rule", "drop"},
                      {"generated", "png8"},
                      {"batch", rows},
                      {"encoders", {{"clip", {{"front_end", "ti-tensor"}, {"scores", {"image", "text"}}}}}},
                      {"image", {{"exif", "apply"}, {"alpha", "refuse"}, {"size", nullptr}, {"resize", "t-bicubic"}}},
                      {"set_scores", {"gbar_norm", "clip_t_paper"}}};
  return eval::Protocol::from_json(settings, "ti_code");
}
