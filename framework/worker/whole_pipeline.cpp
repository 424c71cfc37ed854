#include "framework/worker/whole_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/pretraining/component_files.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::worker {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTable = "token_embedding.weight";

using Tokens = std::vector<std::pair<std::string, std::int64_t>>;

Json added_entry(const std::string& token) {
  return {{"content", token}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},  {"normalized", false},  {"special", false}};
}

/// A tokenizer.json that has the tokens among its added ones.
void add_to_fast_tokenizer(const fs::path& file, const Tokens& tokens) {
  Json json = read_json_file(file);
  Json& added = json["added_tokens"];
  std::set<std::string> known;
  for (const Json& entry : added) known.insert(entry.at("content").get<std::string>());
  for (const auto& [token, id] : tokens) {
    if (known.contains(token)) continue;
    Json entry = added_entry(token);
    entry["id"] = id;
    added.push_back(std::move(entry));
  }
  write_json(file, json);
}

/// A tokenizer_config.json that lists added tokens: such a list counts before added_tokens.json.
void add_to_config(const fs::path& file, const Tokens& tokens) {
  Json json = read_json_file(file);
  if (!json.contains("added_tokens_decoder")) return;
  for (const auto& [token, id] : tokens) json["added_tokens_decoder"].emplace(std::to_string(id), added_entry(token));
  write_json(file, json);
}

std::size_t write_tokenizer(Session& session, std::size_t tower, const fs::path& folder) {
  const fs::path source = session.base().tokenizer_folder(tower);
  std::size_t files = copy_tokenizer(source, folder).size();
  const auto tokens = session.tokenizer(tower).added_tokens();
  if (tokens.empty()) return files;
  Json json = Json::object();
  for (const auto& [token, id] : tokens) json[token] = id;
  files += fs::is_regular_file(folder / "added_tokens.json") ? 0 : 1;
  write_json(folder / "added_tokens.json", json);
  if (fs::is_regular_file(folder / "tokenizer.json")) add_to_fast_tokenizer(folder / "tokenizer.json", tokens);
  if (fs::is_regular_file(folder / "tokenizer_config.json")) add_to_config(folder / "tokenizer_config.json", tokens);
  return files;
}

Json index_of(const Session& session, const std::vector<std::string>& written) {
  Json index = session.base().checkpoint().model_index();
  for (auto& [name, entry] : index.items()) {
    if (!entry.is_array() || std::ranges::find(written, name) != written.end()) continue;
    entry = Json::array({nullptr, nullptr});
  }
  return index;
}

}  // namespace

std::size_t write_whole_component(Session& session, const std::string& component, const fs::path& folder) {
  TensorMap weights = session.whole_weights(component);
  Json config = session.base().checkpoint().config(component);
  for (auto& [name, tensor] : weights) {
    tensor = tensor.to(at::kCPU).contiguous();
    if (name.ends_with(kTable)) config["vocab_size"] = tensor.size(0);
  }
  if (component.starts_with("text_encoder") && session.pools_at_eos()) {
    config["eos_token_id"] = session.tokenizer(component == "text_encoder" ? 0 : 1).eos_id();
  }
  return write_component(folder, config, weights).size();
}

std::size_t write_whole_pipeline(Session& session, const fs::path& folder) {
  if (session.has_text_edits()) {
    throw Error({.where = folder.string(),
                 .found = "an artifact that edits the attention of the text encoder",
                 .expected = "one that changes tokens, weights or adapters",
                 .advice = "no pipeline of diffusers can hold it; export it with --form authors"},
                ErrorKind::usage);
  }
  std::vector<std::string> written{"scheduler", "unet", "vae"};
  std::size_t files = 2;  // model_index.json, scheduler_config.json
  for (std::size_t i = 0; i < session.text_towers(); ++i) {
    const std::string number = i == 0 ? "" : fmt::format("_{}", i + 1);
    files += write_tokenizer(session, i, folder / ("tokenizer" + number));
    files += write_whole_component(session, "text_encoder" + number, folder / ("text_encoder" + number));
    written.push_back("tokenizer" + number);
    written.push_back("text_encoder" + number);
  }
  for (const char* component : {"unet", "vae"}) {
    files += write_whole_component(session, component, folder / component);
  }
  write_json(folder / "scheduler" / "scheduler_config.json", session.base().checkpoint().scheduler_config());
  write_json(folder / "model_index.json", index_of(session, written));
  return files;
}

}  // namespace atelier::worker
