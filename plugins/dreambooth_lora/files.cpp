#include "plugins/dreambooth_lora/files.h"

#include "framework/core/error.h"
#include "framework/formats/embedding_file.h"
#include "framework/formats/lora_writer.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::dreambooth_lora {
namespace {

TensorView row_of(const TrainedArtifact& artifact, const std::string& encoder, const std::string& token) {
  return to_view(artifact.tensors.at(token_parameter(encoder, token)).reshape({1, -1}).to(at::kFloat));
}

bool is_file_name(const std::string& token) { return token.find('/') == std::string::npos && !token.starts_with('.'); }

void add_token(std::map<std::string, TensorSet>& files, const TrainedArtifact& artifact, const std::string& token) {
  const TensorView first = row_of(artifact, "text_encoder", token);
  if (!artifact.tensors.contains(token_parameter("text_encoder_2", token))) {
    files.emplace("learned_embeds.safetensors", learned_embeds(token, first));
    return;
  }
  files.emplace((is_file_name(token) ? token : "learned_embeds") + ".safetensors",
                two_tower_embeds(first, row_of(artifact, "text_encoder_2", token)));
}

}  // namespace

std::map<std::string, TensorSet> diffusers_files(const TrainedArtifact& artifact) {
  const auto entries = low_rank_entries(artifact.tensors);
  if (entries.empty()) {
    throw Error({.where = "pytorch_lora_weights.safetensors",
                 .found = "an artifact without low-rank updates",
                 .expected = "tensors named <layer>.lora_A.weight and <layer>.lora_B.weight"});
  }
  std::map<std::string, TensorSet> files{{"pytorch_lora_weights.safetensors", peft_lora(entries)}};
  for (const auto& token : placeholders_of(artifact.tensors)) add_token(files, artifact, token);
  return files;
}

}  // namespace atelier::dreambooth_lora
