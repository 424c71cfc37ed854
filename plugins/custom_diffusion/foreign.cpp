#include "plugins/custom_diffusion/foreign.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <vector>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/methods/learned_token.h"
#include "plugins/custom_diffusion/delta.h"

namespace atelier::custom_diffusion {
namespace {

constexpr std::string_view kMark = "_custom_diffusion";
constexpr std::string_view kProcessor = ".processor.";
constexpr std::string_view kDeltaToken = "modifier_token.";
constexpr std::array kWeightFiles{"pytorch_custom_diffusion_weights.safetensors",
                                  "pytorch_custom_diffusion_weights.bin", "delta.bin"};

bool is_weight_file(const std::string& name) { return std::ranges::find(kWeightFiles, name) != kWeightFiles.end(); }

bool may_hold_tensors(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".ckpt");
}

/// "….attn2.processor.to_k_custom_diffusion.weight" -> "unet.….attn2.to_k.weight"; "" for other keys.
std::string weight_of_processor(const std::string& key) {
  const auto processor = key.find(kProcessor), mark = key.find(kMark);
  if (processor == std::string::npos || mark == std::string::npos || mark < processor) return "";
  const auto projection = processor + kProcessor.size();
  return "unet." + key.substr(0, processor) + "." + key.substr(projection, mark - projection) +
         key.substr(mark + kMark.size());
}

void add_rows(TensorMap& tensors, const std::string& encoder, const std::string& token, const Tensor& rows) {
  const Tensor vectors = rows.dim() == 1 ? rows.unsqueeze(0) : rows;  // [n, D]
  for (std::int64_t i = 0; i < vectors.size(0); ++i) tensors[token_parameter(encoder, token, i)] = vectors[i];
}

/// The weights and the tokens of one file; nothing when it holds no such weights.
TensorMap weights_in(const TensorMap& file) {
  TensorMap tensors;
  const bool delta = std::ranges::any_of(file, [](const auto& entry) {
    return entry.first.starts_with("unet.") && entry.first.ends_with(".attn2.to_k.weight");
  });
  for (const auto& [key, value] : file) {
    if (const auto name = weight_of_processor(key); !name.empty()) tensors[name] = value;
    if (delta && key.starts_with("unet.") && key.find(".attn2.") != std::string::npos) tensors[key] = value;
    if (delta && key.starts_with(kDeltaToken)) {
      add_rows(tensors, "text_encoder", key.substr(kDeltaToken.size()), value);
    }
  }
  return tensors;
}

bool is_vector(const Tensor& tensor) {
  return tensor.is_floating_point() && (tensor.dim() == 1 || tensor.dim() == 2) && tensor.numel() > 0;
}

/// A token's file beside the weights: {token: vectors}, or SDXL's clip_l with clip_g under the file's stem.
void add_token_file(TensorMap& tensors, const std::string& name, const TensorMap& file) {
  const auto first = file.find("clip_l"), second = file.find("clip_g");
  if (file.size() == 2 && first != file.end() && second != file.end()) {
    const auto token = std::filesystem::path(name).stem().string();
    add_rows(tensors, "text_encoder", token, first->second);
    add_rows(tensors, "text_encoder_2", token, second->second);
    return;
  }
  if (file.size() == 1 && is_vector(file.begin()->second)) {
    add_rows(tensors, "text_encoder", file.begin()->first, file.begin()->second);
  }
}

/// The authors' own checkpoint in a folder; their program leaves one for every epoch that was asked for.
TensorMap read_only_delta(const ForeignArtifact& foreign) {
  std::vector<std::string> deltas;
  std::ranges::copy_if(foreign.files.names(), std::back_inserter(deltas), is_delta_name);
  if (deltas.empty()) return {};
  if (deltas.size() == 1) return read_delta(foreign, deltas.front());
  throw Error({.where = foreign.files.path().string(),
               .found = join(deltas, ", ", 5),
               .expected = "one checkpoint of Custom Diffusion",
               .advice = "give the file instead of the folder"});
}

TensorMap read_folder(const ForeignArtifact& foreign) {
  const ForeignFiles& files = foreign.files;
  TensorMap tensors;
  const auto weights = std::ranges::find_if(kWeightFiles, [&](const char* name) { return files.has(name); });
  if (weights == kWeightFiles.end()) return read_only_delta(foreign);
  tensors = weights_in(files.tensors(*weights).tensors);
  for (const auto& name : files.names()) {
    if (name.find('/') != std::string::npos || is_weight_file(name) || !may_hold_tensors(name)) continue;
    add_token_file(tensors, name, files.tensors(name).tensors);
  }
  return tensors;
}

/// Of a file that may be anything: what cannot be read is somebody else's.
TensorMap read_file(const ForeignArtifact& foreign) {
  const ForeignFiles& files = foreign.files;
  const auto& name = files.names().front();
  if (is_weight_file(name)) return weights_in(files.tensors(name).tensors);
  if (!may_hold_tensors(name)) return {};
  TensorMap tensors;
  try {
    tensors = weights_in(files.tensors(name).tensors);
  } catch (const Error&) {
    return {};
  }
  return tensors.empty() ? read_delta(foreign, name) : tensors;
}

}  // namespace

std::optional<TrainedArtifact> read_foreign(const ForeignArtifact& foreign) {
  TrainedArtifact artifact;
  artifact.tensors = foreign.files.is_folder() ? read_folder(foreign) : read_file(foreign);
  if (artifact.tensors.empty()) return std::nullopt;
  for (auto& [name, tensor] : artifact.tensors) tensor = tensor.to(at::kFloat);
  return artifact;
}

}  // namespace atelier::custom_diffusion
