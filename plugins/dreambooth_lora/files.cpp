#include "plugins/dreambooth_lora/files.h"

#include "framework/core/error.h"
#include "framework/formats/lora_writer.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/token_files.h"

namespace atelier::dreambooth_lora {

std::map<std::string, TensorSet> diffusers_files(const TrainedArtifact& artifact) {
  const auto entries = low_rank_entries(artifact.tensors);
  if (entries.empty()) {
    throw Error({.where = "pytorch_lora_weights.safetensors",
                 .found = "an artifact without low-rank updates",
                 .expected = "tensors named <layer>.lora_A.weight and <layer>.lora_B.weight"});
  }
  std::map<std::string, TensorSet> files{{"pytorch_lora_weights.safetensors", peft_lora(entries)}};
  for (const auto& token : placeholders_of(artifact.tensors)) files.insert(token_file(artifact.tensors, token));
  return files;
}

}  // namespace atelier::dreambooth_lora
