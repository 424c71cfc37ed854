#include "plugins/dreambooth_lora/layers.h"

#include <algorithm>
#include <iterator>

#include "framework/core/error.h"

namespace atelier::dreambooth_lora {

std::vector<std::string> ending_with(const std::vector<std::string>& layers, const std::vector<std::string>& modules,
                                     const char* option) {
  std::vector<std::string> found;
  for (const auto& module : modules) {
    const auto before = found.size();
    std::copy_if(layers.begin(), layers.end(), std::back_inserter(found),
                 [&](const std::string& layer) { return layer.ends_with("." + module); });
    if (found.size() > before) continue;
    throw Error({.where = option,
                 .found = module + ", with which no layer's name ends",
                 .expected = "ends of the base model's layer names, as to_q or ff.net.2"},
                ErrorKind::usage);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace atelier::dreambooth_lora
