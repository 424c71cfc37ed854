#include "framework/formats/artifact_content.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/file_kind.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/safetensors.h"

namespace atelier {
namespace {

/// cloneofsimo's .pt: up and down in turn.
bool is_lora_list(const PickleValue& value) {
  if (value.kind() != PickleKind::list || value.size() < 2 || value.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value.item(i).kind() != PickleKind::tensor) return false;
  }
  return true;
}

ArtifactKind method_kind(const std::string& method) {
  return method == "CatVersion" ? ArtifactKind::catversion : ArtifactKind::custom_diffusion;
}

ArtifactKind kind_of(const TensorFile& file) {
  if (const auto method = other_method(file); !method.empty()) return method_kind(method);
  const bool lora = !lora_dialect(file).empty();
  const bool embeddings = has_embeddings(file);
  if (lora && embeddings) return ArtifactKind::lora_and_embedding;
  return lora ? ArtifactKind::lora : embeddings ? ArtifactKind::embedding : ArtifactKind::unknown;
}

LoraFile read_list(const ArtifactContent& content, const ModuleNames& target) {
  std::vector<TensorView> tensors;
  for (std::size_t i = 0; i < content.pickle->size(); ++i) tensors.push_back(content.pickle->item(i).tensor());
  const bool text = content.path.stem().string().ends_with(".text_encoder");  // "x.pt" and "x.text_encoder.pt"
  return read_lora_list(tensors, content.path.string(), text ? "text_encoder" : "unet", target);
}

}  // namespace

ArtifactContent open_artifact(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  switch (sniff_file_kind(file->bytes())) {
    case FileKind::safetensors:
      return {.path = path, .tensors = read_safetensors(path), .pickle = std::nullopt};
    case FileKind::other: {
      const auto foreign = describe_foreign_file(file->bytes());
      throw Error({.where = path.string(),
                   .found = foreign.found,
                   .expected = "safetensors or a file of torch.save",
                   .advice = foreign.advice});
    }
    default:
      break;
  }
  auto pickle = read_pickle(path);
  TensorFile tensors{.path = path.string(), .tensors = {}, .metadata = {}};
  if (pickle.kind() == PickleKind::dictionary) tensors = flatten_pickle(pickle);
  return {.path = path, .tensors = std::move(tensors), .pickle = std::move(pickle)};
}

ArtifactKind kind_of(const ArtifactContent& content) {
  if (!content.pickle) return kind_of(content.tensors);
  if (const auto method = other_method(*content.pickle); !method.empty()) return method_kind(method);
  if (content.pickle->kind() == PickleKind::tensor) return ArtifactKind::embedding;
  if (is_lora_list(*content.pickle)) return ArtifactKind::lora;
  if (content.pickle->find("string_to_param")) return ArtifactKind::embedding;
  return kind_of(content.tensors);
}

void add_lora(Artifact& artifact, LoraFile lora, const std::filesystem::path& path) {
  if (!artifact.lora) {
    artifact.lora = std::move(lora);
    return;
  }
  auto& entries = artifact.lora->entries;
  const auto earlier = entries.size();
  for (auto& entry : lora.entries) {
    const auto same = [&](const LoraEntry& other) { return other.module == entry.module; };
    if (std::any_of(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(earlier), same)) {
      throw Error({.where = path.string(),
                   .found = fmt::format("layer {}, which another file of the folder has too", entry.module),
                   .expected = "every layer once",
                   .advice = "give one of the files instead of the folder"});
    }
    entries.push_back(std::move(entry));
  }
}

void read_content(Artifact& artifact, const ArtifactContent& content, const ModuleNames& target,
                  const std::string& placeholder) {
  const auto where = content.path.string();
  const auto kind = kind_of(content);
  if (kind == ArtifactKind::custom_diffusion) refuse_other_method(where, "Custom Diffusion");
  if (kind == ArtifactKind::catversion) refuse_other_method(where, "CatVersion");
  if (kind == ArtifactKind::unknown) {
    throw Error({.where = where,
                 .found = fmt::format("{} tensors of no known kind", content.tensors.tensors.size()),
                 .expected = "a LoRA or learned tokens"});
  }
  artifact.files.push_back(content.path);
  const bool list = content.pickle && is_lora_list(*content.pickle);
  if (kind != ArtifactKind::embedding) {
    add_lora(artifact, list ? read_list(content, target) : read_lora(content.tensors, target), content.path);
  }
  if (kind == ArtifactKind::lora) return;
  auto tokens =
      content.pickle ? read_embeddings(*content.pickle, placeholder) : read_embeddings(content.tensors, placeholder);
  for (auto& token : tokens) artifact.embeddings.push_back(std::move(token));
}

}  // namespace atelier
