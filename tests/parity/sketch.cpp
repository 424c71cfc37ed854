#include "tests/parity/sketch.h"

#include <array>
#include <cstdint>
#include <stdexcept>

#include "framework/files/safetensors.h"
#include "framework/formats/lora_values.h"

namespace {

using Sketch = std::array<double, 4>;

Sketch sketch_of(const std::vector<double>& values) {
  Sketch sums{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto hash = static_cast<std::uint32_t>(i * 2654435761U);
    sums[hash >> 30] += (hash >> 28 & 1) != 0 ? -values[i] : values[i];
  }
  return sums;
}

void append(std::vector<double>& table, const Sketch& sketch) {
  table.insert(table.end(), sketch.begin(), sketch.end());
}

std::vector<double> change(const std::vector<double>& after, const std::vector<double>& before) {
  if (after.size() != before.size()) throw std::runtime_error("a parameter of another size than the model's");
  std::vector<double> difference(after.size());
  for (std::size_t i = 0; i < after.size(); ++i) difference[i] = after[i] - before[i];
  return difference;
}

}  // namespace

bool is_sketched(const NamedValues& reference) { return reference.contains("change.sketch"); }

NamedValues sketched(const NamedValues& output, const NamedValues& start) {
  NamedValues result;
  for (const auto& [name, values] : output) {
    if (name.starts_with("param.")) {
      append(result["change.sketch"], sketch_of(change(values, start.at(name.substr(6)))));
    } else if (name.starts_with("grad.")) {
      append(result[name.substr(0, name.find('.', 5)) + ".sketch"], sketch_of(values));
    } else {
      result[name] = values;
    }
  }
  return result;
}

NamedValues component_parameters(const std::filesystem::path& model, const std::vector<std::string>& components) {
  NamedValues parameters;
  for (const auto& component : components) {
    const bool unet = component == "unet";
    const auto file = model / component / (unet ? "diffusion_pytorch_model.safetensors" : "model.safetensors");
    for (const auto& [name, view] : atelier::read_safetensors(file).tensors) {
      if (!name.ends_with("position_ids")) parameters[component + "." + name] = atelier::values_of(view, name);
    }
  }
  return parameters;
}
