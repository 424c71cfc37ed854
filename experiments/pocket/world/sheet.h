#pragma once

#include <string>
#include <vector>

#include "experiments/pocket/world/scene.h"
#include "framework/image/image.h"

namespace atelier::pocket {

/// What a contact sheet can show.
[[nodiscard]] std::vector<std::string> sheet_names();

/// Rows of scenes for one of sheet_names(): classes, colours, textures, places, styles, accessories, marks, concepts,
/// train, test.
[[nodiscard]] std::vector<std::vector<Scene>> sheet_scenes(const std::string& name, std::uint64_t seed, int columns);

/// Draws them `scale` times as large, pixels repeated, two screen pixels apart. `masks` shows the masks instead.
[[nodiscard]] Image contact_sheet(const std::vector<std::vector<Scene>>& rows, int scale, bool masks);

}  // namespace atelier::pocket
