#include "framework/formats/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/safetensors_writer.h"
#include "framework/files/torch_writer.h"
#include "framework/formats/artifact_content.h"
#include "framework/formats/lora_writer_parts.h"
#include "framework/formats/trained_artifact.h"

namespace atelier {
namespace {

constexpr const char* kAlphas = "atelier_alphas";

bool is_lora(const std::string& dialect) { return find_dialect(dialect).holds == "LoRA"; }

/// Undoes what note_alphas() records: a LoRA whose alphas were multiplied into `up`.
void restore_alphas(Artifact& artifact) {
  if (!artifact.lora) return;
  for (const auto& path : artifact.files) {
    const auto content = open_artifact(path);
    const auto found = content.tensors.metadata.find(kAlphas);
    if (found == content.tensors.metadata.end()) continue;
    const auto where = fmt::format("{}: metadata {}", path.string(), kAlphas);
    const auto alphas = parse_json(found->second, where);
    for (auto& entry : artifact.lora->entries) {
      const auto alpha = alphas.find(entry.module);
      if (alpha == alphas.end()) continue;
      const bool sound = alpha->is_number() && std::isfinite(alpha->get<double>()) && alpha->get<double>() != 0.0;
      if (!sound) throw Error({.where = where, .found = alpha->dump(), .expected = "numbers other than 0"});
      entry.alpha = alpha->get<double>();
      const auto scale = static_cast<double>(entry.rank) / entry.alpha;
      entry.up = scaled(entry.up, scale, entry.up.dtype, entry.module);
    }
  }
}

/// In a dialect without alphas: those that are not the rank.
void note_alphas(TensorSet& set, const std::vector<LoraEntry>& entries) {
  Json alphas = Json::object();
  for (const auto& entry : entries) {
    if (entry.alpha != static_cast<double>(entry.rank)) alphas[entry.module] = json_number(entry.alpha);
  }
  if (!alphas.empty()) set.metadata[kAlphas] = alphas.dump();
}

/// The classes below which the LoRA's layers of every component are all layers: what numbers them.
std::map<std::string, ClassNames> classes_for(const std::vector<LoraEntry>& entries, const ModuleNames& target) {
  const std::vector<ClassNames> unet = {default_classes("unet"),
                                        {"CrossAttention", "Attention"},
                                        {"BasicTransformerBlock"},
                                        {"CrossAttention", "Attention", "GEGLU", "ResnetBlock2D"}};
  const std::vector<ClassNames> text = {default_classes("text_encoder"), {"CLIPAttention", "CLIPMLP"}};
  std::map<std::string, std::vector<std::string>> layers;
  for (const auto& entry : entries) {
    auto [component, path] = split_module(entry.module);
    layers[component].push_back(std::move(path));
  }
  std::map<std::string, ClassNames> classes;
  for (auto& [component, paths] : layers) {
    std::ranges::sort(paths);
    const auto fits = [&, &paths = paths, &component = component](const ClassNames& names) {
      return std::ranges::any_of(walks_below(names), [&](const Walk& walk) {
        auto walked = walk_layers(target.components().at(component), names, walk);
        std::ranges::sort(walked);
        return walked == paths;
      });
    };
    const auto& alternatives = component == "unet" ? unet : text;
    const auto found = std::ranges::find_if(alternatives, fits);
    // Where none fits, the writer says what is missing of the first.
    classes[component] = found == alternatives.end() ? alternatives.front() : *found;
  }
  return classes;
}

std::vector<LoraEntry> of_dtype(std::vector<LoraEntry> entries, const std::optional<Dtype>& dtype) {
  if (!dtype) return entries;
  for (auto& entry : entries) {
    entry.down = scaled(entry.down, 1.0, *dtype, entry.module);
    entry.up = scaled(entry.up, 1.0, *dtype, entry.module);
  }
  return entries;
}

TensorView tower_vectors(const EmbeddingFile& token, const std::string& tower, const ConvertRequest& request) {
  const auto found = token.towers.find(tower);
  if (found == token.towers.end()) {
    throw Error({.where = request.in.string(),
                 .found = fmt::format("no vectors of {} for {}", token.token, tower),
                 .expected = fmt::format("what {} holds", request.to)});
  }
  return scaled(found->second, 1.0, request.dtype.value_or(found->second.dtype), token.token);
}

TensorSet lora_set(const std::vector<LoraEntry>& entries, const std::vector<EmbeddingFile>& tokens,
                   const ConvertRequest& request) {
  if (request.to == "peft") return peft_lora(entries);
  if (request.to == "kohya") {
    auto info = request.target->info;
    info.title = request.title;
    return kohya_lora(entries, request.target->names, info);
  }
  TensorSet set;
  if (request.to == "diffusers") {
    set = diffusers_legacy_lora(entries);
  } else {
    std::map<std::string, TensorView> vectors;
    for (const auto& token : tokens) vectors.emplace(token.token, tower_vectors(token, "text_encoder", request));
    const auto& names = request.target->names;
    set = cloneofsimo_lora(entries, names, classes_for(entries, names), vectors, CloneofsimoType::kept);
  }
  note_alphas(set, entries);
  return set;
}

void write_whole_file(const std::filesystem::path& out, std::string_view bytes) {
  AtomicFile file(out);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

std::string token_names(const std::vector<EmbeddingFile>& tokens) {
  std::vector<std::string> names;
  for (const auto& token : tokens) names.push_back(token.token);
  return join(names, ", ", 20);
}

/// `--token` picks one of several.
std::vector<EmbeddingFile> picked(std::vector<EmbeddingFile> tokens, const ConvertRequest& request) {
  if (!request.token.empty() && tokens.size() > 1) {
    std::erase_if(tokens, [&](const EmbeddingFile& each) { return each.token != request.token; });
    if (tokens.empty()) {
      throw Error({.where = request.in.string(),
                   .found = fmt::format("no token {}", request.token),
                   .expected = "one that the file holds"},
                  ErrorKind::usage);
    }
  }
  for (auto& token : tokens) {
    if (!request.token.empty()) token.token = request.token;
    if (token.token.empty()) {
      throw Error({.where = request.in.string(),
                   .found = "a learned token without a name",
                   .expected = "a name for it",
                   .advice = "give it with --token"},
                  ErrorKind::usage);
    }
  }
  return tokens;
}

const EmbeddingFile& only(const std::vector<EmbeddingFile>& tokens, const ConvertRequest& request) {
  if (tokens.size() == 1) return tokens.front();
  throw Error({.where = request.in.string(),
               .found = fmt::format("{} tokens: {}", tokens.size(), token_names(tokens)),
               .expected = fmt::format("one, as {} holds no more", request.to),
               .advice = "choose one with --token and convert once for each"},
              ErrorKind::usage);
}

/// The web UI's own fields, in the order in which it writes them.
TorchValue a1111_value(const EmbeddingFile& token, const ConvertRequest& request) {
  return TorchValue::Dictionary{
      {"string_to_token", TorchValue::Dictionary{{"*", std::int64_t{265}}}},
      {"string_to_param", TorchValue::Dictionary{{"*", tower_vectors(token, "text_encoder", request)}}},
      {"name", token.token},
      {"step", std::int64_t{0}},
  };
}

void write_tokens(const std::vector<EmbeddingFile>& tokens, const ConvertRequest& request) {
  const std::string stem = request.out.stem().string();
  if (request.to == "a1111")
    return write_whole_file(request.out, torch_file(a1111_value(only(tokens, request), request), stem));
  if (request.to == "learned_embeds-bin") {
    TorchValue::Dictionary all;
    for (const auto& token : tokens) all.emplace_back(token.token, tower_vectors(token, "text_encoder", request));
    return write_whole_file(request.out, torch_file(std::move(all), stem));
  }
  TensorSet set{.tensors = {}, .metadata = {{"format", "pt"}}};
  if (request.to == "two-towers") {
    const auto& token = only(tokens, request);
    set = two_tower_embeds(tower_vectors(token, "text_encoder", request),
                           tower_vectors(token, "text_encoder_2", request));
  } else if (request.to == "a1111-safetensors") {
    set.tensors.emplace("emb_params", tower_vectors(only(tokens, request), "text_encoder", request));
  } else {
    for (const auto& token : tokens) set.tensors.emplace(token.token, tower_vectors(token, "text_encoder", request));
  }
  write_safetensors(request.out, set.tensors, {.metadata = set.metadata});
}

/// Throws Error (usage) unless one of the file's dialects can become `to`, and where that needs a missing model.
void check_pair(const std::vector<std::string>& from, const ConvertRequest& request) {
  static_cast<void>(find_dialect(request.to));
  for (const auto& pair : conversions()) {
    if (pair.to != request.to || std::ranges::find(from, pair.from) == from.end()) continue;
    if (!pair.needs_model || request.target != nullptr) return;
    throw Error({.where = request.in.string(),
                 .found = fmt::format("{} to {} without a base model", pair.from, pair.to),
                 .expected = "the model whose layers these names mean",
                 .advice = "give it with --model (its files' headers are read, not the weights)"},
                ErrorKind::usage);
  }
  throw Error({.where = request.in.string(),
               .found = fmt::format("{}, which does not become {}", join(from, " with "), request.to),
               .expected = "a pair of `atelier convert --list`"},
              ErrorKind::usage);
}

std::vector<EmbeddingFile> of_dtype(std::vector<EmbeddingFile> tokens, const std::optional<Dtype>& dtype) {
  if (!dtype) return tokens;
  for (auto& token : tokens) {
    for (auto& [tower, vectors] : token.towers) vectors = scaled(vectors, 1.0, *dtype, token.token);
  }
  return tokens;
}

/// Vectors of SDXL's second encoder, where the dialect holds those of one.
void note_second_towers(ConvertReport& report, const std::vector<EmbeddingFile>& tokens) {
  if (report.to == "two-towers") return;
  for (const auto& token : tokens) {
    if (token.towers.contains("text_encoder_2"))
      report.left.push_back(fmt::format("the vectors of {} for text_encoder_2", token.token));
  }
}

void check_tokens(const std::vector<EmbeddingFile>& tokens, const ConvertRequest& request) {
  if (request.target == nullptr || request.target->widths.empty()) return;
  for (const auto& token : tokens) check_widths(token, request.target->widths, request.in.string());
}

/// A LoRA, tokens or both, as a method applies them.
ConvertReport convert_to_artifact(const ConvertRequest& request, ConvertReport report) {
  auto artifact = read_for_conversion(request.in, request.target, request.token);
  const auto tokens = of_dtype(picked(std::move(artifact.embeddings), request), request.dtype);
  check_tokens(tokens, request);
  std::vector<LoraEntry> entries;
  if (artifact.lora) {
    entries = of_dtype(std::move(artifact.lora->entries), request.dtype);
    for (auto& entry : entries) entry.module = session_layer(entry.module);
    report.left = artifact.lora->ignored;
  }
  auto set = trained_artifact(entries, tokens, request.method, join(report.from, " with "));
  note_alphas(set, entries);
  write_safetensors(request.out, set.tensors, {.metadata = set.metadata});
  report.layers = entries.size();
  for (const auto& token : tokens) report.tokens.push_back(token.token);
  return report;
}

}  // namespace

Artifact read_for_conversion(const std::filesystem::path& in, const ConvertTarget* target, const std::string& token) {
  auto artifact = read_artifact(in, target != nullptr ? target->names : own_names(in), token);
  restore_alphas(artifact);
  return artifact;
}

ConvertReport convert(const ConvertRequest& request) {
  ConvertReport report{.from = dialects_of(request.in), .to = request.to, .layers = 0, .tokens = {}, .left = {}};
  check_pair(report.from, request);
  if (request.to == "artifact") return convert_to_artifact(request, std::move(report));
  const bool tokens_alone = !is_lora(request.to);
  Artifact artifact;
  if (tokens_alone && !std::filesystem::is_directory(request.in)) {  // also from a LoRA that nobody can place
    const auto content = open_artifact(request.in);
    artifact.embeddings = content.pickle ? read_embeddings(*content.pickle, request.token)
                                         : read_embeddings(content.tensors, request.token);
    if (kind_of(content) != ArtifactKind::embedding) report.left.emplace_back("the LoRA");
  } else {
    artifact = read_for_conversion(request.in, request.target, request.token);
  }
  const auto tokens = picked(std::move(artifact.embeddings), request);
  check_tokens(tokens, request);
  if (tokens_alone) {
    write_tokens(tokens, request);
    for (const auto& token : tokens) report.tokens.push_back(token.token);
    note_second_towers(report, tokens);
    return report;
  }
  const auto entries = of_dtype(artifact.lora->entries, request.dtype);
  const auto set = lora_set(entries, tokens, request);
  write_safetensors(request.out, set.tensors, {.metadata = set.metadata});
  report.layers = entries.size();
  for (const auto& token : tokens) {
    if (request.to == "cloneofsimo") {
      report.tokens.push_back(token.token);
    } else {
      report.left.push_back(fmt::format("the token {}", token.token));
    }
  }
  if (request.to == "cloneofsimo") note_second_towers(report, tokens);
  for (const auto& key : artifact.lora->ignored) report.left.push_back(key);
  return report;
}

}  // namespace atelier
