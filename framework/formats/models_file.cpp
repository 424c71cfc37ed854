#include "framework/formats/models_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <vector>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/hub_cache.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {
      "path", "repo", "revision", "variant", "model_config", "prediction_type", "allow_pickle", "use_ema"};
  return keys;
}

class ModelsFile {
 public:
  explicit ModelsFile(const fs::path& path) : path_(path) {}

  std::map<std::string, ModelEntry> read() const {
    std::map<std::string, ModelEntry> entries;
    try {
      const auto root = YAML::Load(read_text_file(path_));
      if (root.IsNull()) return entries;
      if (!root.IsMap()) fail(root.Mark(), "no mapping", "model names with their paths");
      for (const auto& item : root) {
        const auto name = text(item.first, "a model's name");
        const bool is_new = entries.emplace(name, entry(item.second)).second;
        if (!is_new) fail(item.first.Mark(), fmt::format("the name \"{}\" twice", name), "each name once");
      }
    } catch (const YAML::Exception& error) {
      fail(error.mark, error.msg, "a YAML mapping");
    }
    return entries;
  }

 private:
  [[noreturn]] void fail(const YAML::Mark& mark, std::string found, std::string expected,
                         std::string advice = "") const {
    const auto where =
        mark.is_null() ? path_.string() : fmt::format("{}:{}:{}", path_.string(), mark.line + 1, mark.column + 1);
    throw Error(
        {.where = where, .found = std::move(found), .expected = std::move(expected), .advice = std::move(advice)},
        ErrorKind::usage);
  }

  std::string text(const YAML::Node& node, const std::string& what) const {
    if (!node.IsScalar() || node.Scalar().empty()) fail(node.Mark(), "no text", what);
    return node.Scalar();
  }

  bool boolean(const YAML::Node& node, const std::string& key) const {
    if (node.IsScalar() && (node.Scalar() == "true" || node.Scalar() == "false")) return node.Scalar() == "true";
    fail(node.Mark(), fmt::format("{}: something else", key), "true or false");
  }

  fs::path resolved(const std::string& text) const {
    const auto path = expand_path(text);
    return path.is_absolute() ? path : path_.parent_path() / path;
  }

  ModelEntry entry(const YAML::Node& node) const {
    ModelEntry entry;
    if (node.IsScalar()) {
      entry.location.path = resolved(text(node, "a path"));
    } else if (node.IsMap()) {
      std::set<std::string> seen;
      for (const auto& item : node) {
        const auto key = text(item.first, "a key");
        if (!seen.insert(key).second)
          fail(item.first.Mark(), fmt::format("the key \"{}\" twice", key), "each key once");
        apply(key, item.first, item.second, entry);
      }
    } else {
      fail(node.Mark(), "neither a path nor a mapping", "`name: path` or `name: {path: …}`");
    }
    if (entry.location.path.empty() == entry.repo.empty()) {
      fail(node.Mark(), entry.repo.empty() ? "neither path nor repo" : "both path and repo", "one of the two");
    }
    return entry;
  }

  void apply(const std::string& key, const YAML::Node& key_node, const YAML::Node& value, ModelEntry& entry) const {
    auto& location = entry.location;
    if (key == "path") {
      location.path = resolved(text(value, "a path"));
    } else if (key == "repo") {
      entry.repo = text(value, "org/name");
    } else if (key == "revision") {
      entry.revision = text(value, "a branch, tag or commit");
    } else if (key == "variant") {
      location.variant = text(value, "a variant such as fp16");
    } else if (key == "model_config") {
      location.model_config = resolved(text(value, "a folder"));
    } else if (key == "prediction_type") {
      location.prediction_type = text(value, "epsilon or v_prediction");
    } else if (key == "allow_pickle") {
      location.allow_pickle = boolean(value, key);
    } else if (key == "use_ema") {
      location.use_ema = boolean(value, key);
    } else {
      const auto near = nearest(key, known_keys());
      fail(key_node.Mark(), fmt::format("unknown key \"{}\"", key), "one of " + join(known_keys()),
           near.empty() ? "" : fmt::format("did you mean {}?", near));
    }
  }

  const fs::path& path_;
};

}  // namespace

std::map<std::string, ModelEntry> read_models_file(const fs::path& path) {
  if (path.empty() || !fs::exists(path)) return {};
  return ModelsFile(path).read();
}

}  // namespace atelier
