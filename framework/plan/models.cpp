#include "framework/plan/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/formats/encoder_source.h"
#include "framework/formats/hub_cache.h"
#include "framework/store/store.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// Small files that decide what a model computes: configurations and the tokenizer's tables. Indices of shards count
/// among the weights.
std::vector<fs::path> small_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    const auto extension = entry.path().extension();
    const bool is_small = extension == ".json" || extension == ".txt";
    if (is_small && !name.ends_with(".index.json") && !name.starts_with("LICENSE") && entry.is_regular_file(ignored)) {
      files.push_back(entry.path());
    }
  }
  return files;
}

std::vector<fs::path> pipeline_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto* component :
       {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"}) {
    const auto found = small_files(folder / component);
    files.insert(files.end(), found.begin(), found.end());
  }
  if (fs::exists(folder / "model_index.json")) files.push_back(folder / "model_index.json");
  return files;
}

/// [[name, SHA-256] …] sorted. Names are relative to the folder, so that the place does not matter.
Json digests_of(const std::vector<fs::path>& files, const fs::path& folder, DigestCache& digests) {
  std::set<std::pair<std::string, std::string>> named;
  for (const auto& file : files) {
    const auto relative = file.lexically_relative(folder);
    const auto name = relative.empty() || *relative.begin() == ".." ? "weights" : relative.generic_string();
    named.emplace(name, digests.digest(file));
  }
  auto list = Json::array();
  for (const auto& [name, digest] : named) list.push_back({name, digest});
  return list;
}

/// sample_size × the VAE's factor; 512 where the configuration does not say.
std::int64_t picture_size(const Checkpoint& checkpoint) {
  const auto sample = checkpoint.config("unet").value("sample_size", Json());
  const auto blocks = checkpoint.config("vae").value("block_out_channels", Json::array());
  if (!sample.is_number_integer() || blocks.empty()) return 512;
  return sample.get<std::int64_t>() << (blocks.size() - 1);
}

PlannedBase make_base(const ModelLocation& location, DigestCache& digests) {
  const auto checkpoint = Checkpoint::open(location);
  const bool folder = fs::is_directory(location.path);
  const auto root = folder ? location.path : location.model_config;
  auto files = checkpoint.weight_files();
  if (!root.empty()) {
    const auto small = pipeline_files(root);
    files.insert(files.end(), small.begin(), small.end());
  }
  const Json content{{"files", digests_of(files, root, digests)},
                     {"prediction_type", location.prediction_type},
                     {"use_ema", location.use_ema}};
  PlannedBase base;
  base.digest = key_of(content);
  base.size = picture_size(checkpoint);
  base.job = {{"model", location.path.string()},
              {"model_config", location.model_config.empty() ? Json() : Json(location.model_config.string())},
              {"variant", location.variant.empty() ? Json() : Json(location.variant)},
              {"allow_pickle", location.allow_pickle},
              {"use_ema", location.use_ema},
              {"prediction_type", location.prediction_type.empty() ? Json() : Json(location.prediction_type)}};
  return base;
}

}  // namespace

const PlannedBase& PlannedModels::base(const std::string& name) {
  const auto found = bases_.find(name);
  if (found != bases_.end()) return found->second;
  return bases_.emplace(name, make_base(locate_model(name, search_), digests_)).first->second;
}

const Json& PlannedModels::encoder(const std::string& name) {
  if (const auto found = encoders_.find(name); found != encoders_.end()) return found->second;
  const auto location = locate_model(name, search_);
  const WeightChoice choice{.variant = location.variant, .allow_pickle = location.allow_pickle};
  const auto folder = fs::is_directory(location.path) ? location.path : location.path.parent_path();
  const auto digest = key_of({{"files", digests_of(encoder_files(location.path, choice), folder, digests_)}});
  Json job{{"path", location.path.string()}, {"digest", digest}};
  if (!choice.variant.empty()) job["variant"] = choice.variant;
  if (choice.allow_pickle) job["allow_pickle"] = true;
  return encoders_.emplace(name, std::move(job)).first->second;
}

}  // namespace atelier
