#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/formats/cloneofsimo.h"
#include "framework/formats/known_configs.h"
#include "framework/formats/lora_file.h"
#include "framework/formats/lora_values.h"

namespace atelier {

/// Our default: PEFT's endings (lora_A, lora_B) below "unet." and "text_encoder."; ranks and alphas stand in the
/// metadata `lora_adapter_metadata`, as diffusers writes them. No value is changed.
[[nodiscard]] TensorSet peft_lora(const std::vector<LoraEntry>& entries);

/// What training scripts of 2024 wrote ("….lora.down.weight", "….lora_linear_layer.up.weight"). This form has no alpha:
/// where alpha / rank is not 1 it is multiplied into `up`.
[[nodiscard]] TensorSet diffusers_legacy_lora(const std::vector<LoraEntry>& entries);

/// What users of A1111 and ComfyUI see about a LoRA. Empty texts are left out.
struct KohyaInfo {
  Family family = Family::sd1;  ///< sd1, sd2 or sdxl; SDXL's UNet goes by its original (sgm) names
  bool v_prediction = false;
  std::string title = {};
  std::string learning_rate = {};
  std::string steps = {};
  std::string seed = {};
};
/// sd-scripts' form. The target gives SDXL's block structure. Throws Error when it lacks an entry's layer.
[[nodiscard]] TensorSet kohya_lora(const std::vector<LoraEntry>& entries, const ModuleNames& target,
                                   const KohyaInfo& info);

/// The element type of a cloneofsimo file: its programs write half precision and read any.
enum class CloneofsimoType { half, kept };
/// cloneofsimo's form, with the scale multiplied into `up`. `classes`: of each component. `tokens`: learned tokens kept
/// beside the LoRA, [D] or [n, D], as they are. Throws Error when a component's entries are not all layers of one walk
/// below the classes.
[[nodiscard]] TensorSet cloneofsimo_lora(const std::vector<LoraEntry>& entries, const ModuleNames& target,
                                         const std::map<std::string, ClassNames>& classes,
                                         const std::map<std::string, TensorView>& tokens = {},
                                         CloneofsimoType type = CloneofsimoType::half);

}  // namespace atelier
