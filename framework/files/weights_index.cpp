#include "framework/files/weights_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/text.h"
#include "framework/files/quote.h"
#include "framework/files/tensor_file.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

using WeightMap = std::map<std::string, std::string>;  // tensor: file

void check_shard_name(const std::string& name, const std::string& where) {
  const bool leaves = name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos ||
                      name.find('\0') != std::string::npos;
  if (leaves) {
    throw Error({.where = where,
                 .found = "the shard name " + quote(name),
                 .expected = "the name of a file in the index's own folder",
                 .advice = "do not use this file: fetch the model again from a place you trust"});
  }
}

WeightMap read_weight_map(const fs::path& index) {
  const Json json = read_json_file(index);
  const std::string where = index.string();
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw Error(
        {.where = where, .found = "no weight_map", .expected = R"({"weight_map": {TENSOR: FILE, …}})", .advice = ""});
  }
  WeightMap map;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    const std::string place = fmt::format("{}: weight_map.{}", where, quote(tensor));
    if (!file.is_string()) {
      throw Error({.where = place, .found = file.type_name(), .expected = "a file name", .advice = ""});
    }
    map.emplace(tensor, file.get<std::string>());
    check_shard_name(map.at(tensor), place);
  }
  return map;
}

std::vector<fs::path> shard_paths(const fs::path& index, const WeightMap& map) {
  std::set<fs::path> paths;
  for (const auto& [tensor, file] : map) paths.insert(index.parent_path() / file);
  for (const auto& path : paths) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) continue;
    throw Error({.where = index.string(),
                 .found = "no file " + quote(path.filename().string()),
                 .expected = "all shards that the index names",
                 .advice = "the download is incomplete: fetch the missing file"});
  }
  return {paths.begin(), paths.end()};
}

/// One name to try.
struct Candidate {
  std::string name;
  bool sharded;
  bool pickle;
  std::string variant;
};

void add_candidates(std::vector<Candidate>& candidates, const std::string& base, const std::string& variant,
                    bool pickle) {
  const std::string extension = pickle ? ".bin" : ".safetensors";
  const std::string dotted = variant.empty() ? "" : "." + variant;
  candidates.push_back({base + dotted + extension, false, pickle, variant});
  candidates.push_back({base + extension + ".index" + dotted + ".json", true, pickle, variant});
  if (!variant.empty()) candidates.push_back({base + extension + dotted + ".index.json", true, pickle, variant});
}

std::vector<Candidate> candidates_for(const std::string& base_name, const std::string& variant, bool allow_pickle) {
  std::vector<Candidate> candidates;
  for (const bool pickle : {false, true}) {
    if (pickle && !allow_pickle) break;
    const std::string base = pickle && base_name == "model" ? "pytorch_model" : base_name;
    if (!variant.empty()) add_candidates(candidates, base, variant, pickle);
    add_candidates(candidates, base, "", pickle);
  }
  return candidates;
}

/// Files of the folder that look like weights, for the advice.
std::vector<std::string> weight_files_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string extension = it->path().extension().string();
    const bool index = name.find(".index.") != std::string::npos && extension == ".json";
    if (extension == ".safetensors" || extension == ".bin" || extension == ".ckpt" || index) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

[[noreturn]] void fail_to_find(const fs::path& folder, const std::vector<Candidate>& candidates, bool allow_pickle) {
  std::vector<std::string> tried;
  for (const auto& candidate : candidates) tried.push_back(candidate.name);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error({.where = folder.string(),
                 .found = "no such folder",
                 .expected = "a component's folder with one of " + join(tried),
                 .advice = ""});
  }
  const auto present = weight_files_in(folder);
  const bool only_pickles = !allow_pickle && std::any_of(present.begin(), present.end(), [](const std::string& name) {
    return name.ends_with(".bin") || name.find(".bin.") != std::string::npos;
  });
  throw Error({.where = folder.string(),
               .found = present.empty() ? std::string("no weight file") : "only " + join(present, ", ", 8),
               .expected = "one of " + join(tried),
               .advice = only_pickles      ? "fetch the safetensors file, or allow pickle files (--allow-pickle)"
                         : present.empty() ? "fetch the component's weights"
                                           : "ask for a variant that is there"});
}

}  // namespace

WeightFiles find_weights(const fs::path& folder, const std::string& base_name, const std::string& variant,
                         bool allow_pickle) {
  if (variant.find_first_of("/\\") != std::string::npos || variant.find('\0') != std::string::npos) {
    throw Error({.where = "variant", .found = quote(variant), .expected = "a word such as fp16", .advice = ""},
                ErrorKind::usage);
  }
  const auto candidates = candidates_for(base_name, variant, allow_pickle);
  for (const auto& candidate : candidates) {
    const fs::path path = folder / candidate.name;
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) continue;
    return {.path = path,
            .sharded = candidate.sharded,
            .pickle = candidate.pickle,
            .variant = candidate.variant,
            .shards = candidate.sharded ? shard_paths(path, read_weight_map(path)) : std::vector<fs::path>{}};
  }
  fail_to_find(folder, candidates, allow_pickle);
}

TensorFile read_sharded(const fs::path& index, bool allow_pickle) {
  const WeightMap map = read_weight_map(index);
  TensorFile merged{.path = index.string(), .tensors = {}, .metadata = {}};
  std::map<std::string, std::string> home;  // tensor: the shard that holds it
  for (const auto& path : shard_paths(index, map)) {
    TensorFile shard = read_tensor_file(path, allow_pickle);
    const std::string name = path.filename().string();
    for (auto& [tensor, view] : shard.tensors) {
      const auto [place, inserted] = home.emplace(tensor, name);
      if (!inserted) {
        throw Error({.where = fmt::format("{}: tensor {}", index.string(), quote(tensor)),
                     .found = fmt::format("in two shards, {} and {}", quote(place->second), quote(name)),
                     .expected = "each tensor in one",
                     .advice = "fetch the index and its shards again"});
      }
      merged.tensors.emplace(tensor, std::move(view));
    }
    merged.metadata.merge(shard.metadata);
  }
  for (const auto& [tensor, file] : map) {
    const auto found = home.find(tensor);
    if (found != home.end() && found->second == file) continue;
    throw Error({.where = fmt::format("{}: tensor {}", index.string(), quote(tensor)),
                 .found = found == home.end() ? "in no shard" : "in " + quote(found->second),
                 .expected = "in " + quote(file),
                 .advice = "fetch the index and its shards again"});
  }
  return merged;
}

TensorFile read_weights(const WeightFiles& files) {
  return files.sharded ? read_sharded(files.path, files.pickle) : read_tensor_file(files.path, files.pickle);
}

TensorFile read_weights(const fs::path& folder, const std::string& base_name, const std::string& variant,
                        bool allow_pickle) {
  return read_weights(find_weights(folder, base_name, variant, allow_pickle));
}

}  // namespace atelier
