#pragma once

#include <map>
#include <optional>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::catversion {

/// `catversion.safetensors`: `catversion.layers.<i>.k` and `.v` [P, D] for each layer, with layers, prefix_length,
/// prefix_logit_bias, caption and steps as metadata.
[[nodiscard]] std::map<std::string, TensorSet> layer_file(const TrainedArtifact& artifact, const ModuleNames& target);

/// The folder that the authors' program writes: `adapter_gs-<step - 1>/adapter_config.json` and `pytorch_adapter.bin`
/// with the flat tensor under the names of its layers. It cannot say another logit bias than 1: such an artifact has no
/// such form.
[[nodiscard]] std::map<std::string, std::string> adapter_folder(const TrainedArtifact& artifact,
                                                                const ModuleNames& target);

/// Reads both, a file with `control_trans` alone, and a bare flat tensor where the settings say the layers. Settings:
/// `layers` (where no key names them), `prefix_length`, `prefix_logit_bias` (1 where the file does not say it),
/// `caption`. Nothing when the files are none of these. Throws Error when they contradict each other, the settings or
/// the width of the text encoder, or hold a prefix with a bottleneck or a gate.
[[nodiscard]] std::optional<TrainedArtifact> read_adapter(const ForeignArtifact& artifact);

}  // namespace atelier::catversion
