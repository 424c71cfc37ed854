#include "framework/formats/artifact_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/artifact_content.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAdapterConfig = "adapter_config.json";
constexpr std::array<const char*, 3> kComponents = {"unet", "text_encoder", "text_encoder_2"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The first of the names that the folder has.
template <std::size_t Size>
std::optional<fs::path> first_of(const fs::path& folder, const std::array<const char*, Size>& names) {
  for (const auto* name : names) {
    if (is_file(folder / name)) return folder / name;
  }
  return std::nullopt;
}

bool is_weight_file(const fs::path& path) {
  constexpr std::array<const char*, 4> kEndings = {".safetensors", ".bin", ".pt", ".ckpt"};
  return is_file(path) && std::find(kEndings.begin(), kEndings.end(), path.extension()) != kEndings.end();
}

/// The only weight file of a folder without any name that we know; nothing when there is none.
std::optional<fs::path> only_file(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(folder, fault)) {
    if (is_weight_file(entry.path())) names.push_back(entry.path().filename().string());
  }
  if (fault) throw Error({.where = folder.string(), .found = fault.message(), .expected = "a folder to read"});
  if (names.empty()) return std::nullopt;
  std::sort(names.begin(), names.end());
  if (names.size() == 1) return folder / names.front();
  throw Error({.where = folder.string(),
               .found = fmt::format("{} weight files: {}", names.size(), join(names, ", ", 20)),
               .expected = "pytorch_lora_weights, learned_embeds or one file",
               .advice = "give the file instead of the folder"});
}

ArtifactKind together(ArtifactKind a, ArtifactKind b) {
  if (a == b || b == ArtifactKind::unknown) return a;
  if (a == ArtifactKind::unknown) return b;
  const auto part = [](ArtifactKind kind) {
    return kind == ArtifactKind::lora || kind == ArtifactKind::embedding || kind == ArtifactKind::lora_and_embedding;
  };
  if (part(a) && part(b)) return ArtifactKind::lora_and_embedding;
  return part(a) ? b : a;
}

std::string peft_type(const fs::path& config) {
  const auto json = read_json_file(config);
  const auto type = json.is_object() ? json.find("peft_type") : json.end();
  return type != json.end() && type->is_string() ? type->get<std::string>() : "";
}

void find_adapters(ArtifactFolder& found, const fs::path& folder) {
  for (const auto& adapter : {folder, folder / kComponents[0], folder / kComponents[1], folder / kComponents[2]}) {
    const auto config = adapter / kAdapterConfig;
    if (!is_file(config)) continue;
    if (peft_type(config) == "LORA") {
      found.adapters.push_back(adapter);
    } else if (is_file(adapter / "pytorch_adapter.bin")) {  // the adapter library that CatVersion bundles
      found.kind = ArtifactKind::catversion;
    } else {
      throw Error({.where = config.string(), .found = "no peft_type LORA", .expected = "a LoRA of PEFT"});
    }
  }
}

void read_adapter(Artifact& artifact, const fs::path& folder, const ModuleNames& target) {
  const auto weights = first_of(folder, std::array<const char*, 2>{"adapter_model.safetensors", "adapter_model.bin"});
  if (!weights) {
    throw Error({.where = folder.string(),
                 .found = "no weights",
                 .expected = "adapter_model.safetensors beside adapter_config.json"});
  }
  const auto content = open_artifact(*weights);
  add_lora(artifact,
           read_peft_lora(content.tensors, read_json_file(folder / kAdapterConfig), target, folder.filename().string()),
           *weights);
  artifact.files.push_back(*weights);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

fs::path checked(const fs::path& path) {
  if (is_file(path) || is_folder(path)) return path.has_filename() ? path : path.parent_path();
  throw Error({.where = path.string(), .found = "no such file or folder", .expected = "a LoRA or learned tokens"},
              ErrorKind::usage);
}

}  // namespace

ArtifactFolder look_into(const fs::path& folder) {
  ArtifactFolder found;
  if (is_file(folder / "model_index.json")) {
    found.kind = ArtifactKind::pipeline;
    return found;
  }
  find_adapters(found, folder);
  if (found.kind == ArtifactKind::catversion) return found;
  const std::array<std::optional<fs::path>, 3> named = {
      first_of(folder,
               std::array{"pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin", "lora_weight.safetensors"}),
      first_of(folder, std::array{"learned_embeds.safetensors", "learned_embeds.bin"}),
      first_of(folder, std::array{"pytorch_custom_diffusion_weights.safetensors",
                                  "pytorch_custom_diffusion_weights.bin", "delta.bin", "delta.ckpt"})};
  for (const auto& file : named) {
    if (file) found.files.push_back(*file);
  }
  if (found.files.empty() && found.adapters.empty()) {
    if (const auto file = only_file(folder)) found.files.push_back(*file);
  }
  if (!found.adapters.empty()) found.kind = ArtifactKind::lora;
  for (const auto& file : found.files) found.kind = together(found.kind, kind_of(open_artifact(file)));
  return found;
}

std::string_view artifact_kind_name(ArtifactKind kind) {
  switch (kind) {
    case ArtifactKind::lora:
      return "a LoRA";
    case ArtifactKind::embedding:
      return "learned tokens";
    case ArtifactKind::lora_and_embedding:
      return "a LoRA with learned tokens";
    case ArtifactKind::custom_diffusion:
      return "weights of Custom Diffusion";
    case ArtifactKind::catversion:
      return "weights of CatVersion";
    case ArtifactKind::pipeline:
      return "a whole pipeline";
    case ArtifactKind::unknown:
      break;
  }
  return "nothing known";
}

ArtifactKind sniff_artifact(const fs::path& path) {
  const auto existing = checked(path);
  return is_folder(existing) ? look_into(existing).kind : kind_of(open_artifact(existing));
}

Artifact read_artifact(const fs::path& path, const ModuleNames& target, const std::string& placeholder) {
  const auto existing = checked(path);
  Artifact artifact;
  if (!is_folder(existing)) {
    read_content(artifact, open_artifact(existing), target, placeholder);
    return artifact;
  }
  const auto folder = look_into(existing);
  if (folder.kind == ArtifactKind::catversion) refuse_other_method(existing.string(), "CatVersion");
  if (folder.kind == ArtifactKind::pipeline) {
    throw Error({.where = existing.string(),
                 .found = "a whole pipeline",
                 .expected = "a LoRA or learned tokens",
                 .advice = "give it with --model"});
  }
  for (const auto& adapter : folder.adapters) read_adapter(artifact, adapter, target);
  for (const auto& file : folder.files) read_content(artifact, open_artifact(file), target, placeholder);
  if (artifact.files.empty()) {
    throw Error({.where = existing.string(), .found = "no weight file", .expected = "a LoRA or learned tokens"});
  }
  return artifact;
}

}  // namespace atelier
