#pragma once

#include <string>
#include <vector>

#include "framework/image/image.h"
#include "framework/models/session.h"
#include "framework/sampling/attention_maps.h"

namespace atelier::worker {

/// The places of the words in a prompt, as AttentionMaps takes them.
[[nodiscard]] std::vector<AttentionMaps::Places> places_in(Session& session, const std::string& prompt,
                                                           const std::vector<std::string>& words);

/// The picture with a map over it: from blue for nothing to red for the map's largest value. map [h, w] on the CPU.
[[nodiscard]] Image with_heat(const Image& picture, const Tensor& map);

}  // namespace atelier::worker
