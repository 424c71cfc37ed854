#include "plugins/dco/files.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "framework/formats/lora_writer.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/token_files.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::dco {
namespace {

constexpr const char* kLoraFile = "pytorch_lora_weights.safetensors";
constexpr const char* kEmbedsFile = "learned_embeds.safetensors";
constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";

/// The updates under the names that apply() knows, with the scale alpha / rank in the ups.
void add_updates(const ForeignArtifact& artifact, TensorMap& tensors) {
  const auto file = read_artifact(artifact.files.place(kLoraFile), artifact.target);
  if (!file.lora) return;
  for (const LoraEntry& entry : file.lora->entries) {
    const double scale = entry.alpha / static_cast<double>(entry.rank);
    const Tensor up = to_tensor(entry.up);
    tensors[entry.module + std::string(kDown)] = to_tensor(entry.down).clone();
    tensors[entry.module + std::string(kUp)] = scale == 1.0 ? up.clone() : up * scale;
  }
}

/// "<dog>+<hat>" -> both.
std::vector<std::string> names_between(std::string_view text) {
  std::vector<std::string> names;
  for (;;) {
    const auto end = text.find('+');
    names.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return names;
    text.remove_prefix(end + 1);
  }
}

/// Rows [n, D] of one encoder: of one name its vectors, else one for each.
void add_rows(TensorMap& tensors, const std::string& encoder, const std::vector<std::string>& names, const Tensor& rows,
              const std::string& where) {
  const auto count = static_cast<std::int64_t>(names.size());
  if (count != 1 && (count != rows.size(0) || std::ranges::count(names, "") > 0)) {
    throw Error(
        {.where = "--placeholder",
         .found = fmt::format("{} names", count),
         .expected = fmt::format("one, or {} with + between them, one for each row of {}", rows.size(0), where)},
        ErrorKind::usage);
  }
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const auto name = count == 1 ? token_parameter(encoder, names.front(), i)
                                 : token_parameter(encoder, names[static_cast<std::size_t>(i)]);
    tensors[name] = rows[i].clone();
  }
}

}  // namespace

std::optional<TrainedArtifact> read_published(const ForeignArtifact& artifact) {
  const auto& files = artifact.files;
  if (!files.is_folder() || !files.has(kLoraFile) || !files.has(kEmbedsFile)) return std::nullopt;
  const auto rows = files.tensors(kEmbedsFile).tensors;
  if (rows.size() != 2 || !rows.contains("clip_l") || !rows.contains("clip_g")) return std::nullopt;
  if (artifact.placeholder.empty()) {
    throw Error({.where = files.place(kEmbedsFile).string(),
                 .found = "a learned token without a name",
                 .expected = "a name for it",
                 .advice = "give it with --placeholder"},
                ErrorKind::usage);
  }
  const auto names = names_between(artifact.placeholder);
  TrainedArtifact found;
  add_updates(artifact, found.tensors);
  for (const auto& [encoder, key] : {std::pair{"text_encoder", "clip_l"}, {"text_encoder_2", "clip_g"}}) {
    add_rows(found.tensors, encoder, names, rows.at(key), files.place(kEmbedsFile).string());
  }
  return found;
}

std::map<std::string, TensorSet> published_files(const TrainedArtifact& artifact) {
  std::map<std::string, TensorSet> files{{kLoraFile, diffusers_legacy_lora(low_rank_entries(artifact.tensors))}};
  const auto tokens = placeholders_of(artifact.tensors);
  if (!tokens.empty()) files.emplace(kEmbedsFile, token_set(artifact.tensors, tokens.front()));
  return files;
}

}  // namespace atelier::dco
