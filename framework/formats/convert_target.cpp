#include <array>
#include <nlohmann/json.hpp>

#include "framework/formats/artifact_content.h"
#include "framework/formats/checkpoint.h"
#include "framework/formats/convert.h"
#include "framework/formats/lora_diffusers.h"

namespace atelier {
namespace {

constexpr std::array<const char*, 3> kAdapted = {"unet", "text_encoder", "text_encoder_2"};

/// Both halves' shapes of one layer: [out, in] or [out, in, k, k].
struct OwnLayer {
  std::vector<std::int64_t> down, up;
};

void add_own_names(ModuleNames& names, const TensorFile& file) {
  std::map<std::pair<std::string, std::string>, OwnLayer> layers;
  for (const auto& [key, view] : file.tensors) {
    const auto parsed = parse_diffusers_key(key);
    if (!parsed || parsed->leaf == LoraLeaf::alpha || view.shape.size() < 2) continue;
    const bool text =
        parsed->path.find("self_attn.") != std::string::npos || parsed->path.find("mlp.") != std::string::npos;
    const auto component = !parsed->component.empty() ? parsed->component : text ? "text_encoder" : "unet";
    auto& layer = layers[{component, parsed->path}];
    (parsed->leaf == LoraLeaf::down ? layer.down : layer.up) = view.shape;
  }
  for (const auto& [name, layer] : layers) {
    // Where one half is missing, the reader says so; the layer is known by the other.
    auto shape = layer.down.empty() ? std::vector<std::int64_t>{1, layer.up[1]} : layer.down;
    if (!layer.up.empty()) shape[0] = layer.up[0];
    names.add(name.first, name.second + ".weight", shape);
  }
}

}  // namespace

ConvertTarget convert_target(const Checkpoint& checkpoint) {
  ConvertTarget target;
  for (const char* component : kAdapted) {
    if (!checkpoint.has(component)) continue;
    target.names.add_all(component, checkpoint.weights(component).tensors);
    const auto& config = checkpoint.config(component);
    const auto width = config.find("hidden_size");
    if (width != config.end()) target.widths[component] = width->get<std::int64_t>();
  }
  const auto& scheduler = checkpoint.scheduler_config();
  target.info.family = checkpoint.family();
  target.info.v_prediction = scheduler.value("prediction_type", "epsilon") == "v_prediction";
  return target;
}

ModuleNames own_names(const std::filesystem::path& in) {
  ModuleNames names;
  const bool folder = std::filesystem::is_directory(in);
  for (const auto& file : folder ? look_into(in).files : std::vector{in}) {
    add_own_names(names, open_artifact(file).tensors);
  }
  return names;
}

}  // namespace atelier
