#pragma once

#include <string>
#include <vector>

namespace atelier::dreambooth_lora {

/// The layers whose names end with one of `modules` as whole words ("to_k" ends "….attn2.to_k", and not "….xto_k"),
/// sorted, each once. Throws Error (usage, `option`) for one with which no name ends.
[[nodiscard]] std::vector<std::string> ending_with(const std::vector<std::string>& layers,
                                                   const std::vector<std::string>& modules, const char* option);

}  // namespace atelier::dreambooth_lora
