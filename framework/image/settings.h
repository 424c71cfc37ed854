#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/image/front_ends.h"

namespace atelier {

/// The keys that apply_setting knows: exif, alpha, fill, threshold, size, resize, role.
[[nodiscard]] std::vector<std::string> image_setting_keys();

/// Sets one option from "KEY=VALUE" as written after --set: exif=apply|ignore, alpha=refuse|drop|official|COLOUR,
/// fill=COLOUR, threshold=0..255, size=N, resize=t-bicubic|t-bicubic-aa, role=reference|generated.
/// Throws a usage Error naming `--set KEY`; for an unknown key with the nearest known one.
void apply_image_setting(FrontEndOptions& options, std::string_view assignment);

/// black, white, grey (#7b7568) or #rrggbb. Throws a usage Error naming `where`.
[[nodiscard]] Colour parse_colour(std::string_view text, const std::string& where);
/// "#rrggbb".
[[nodiscard]] std::string colour_text(Colour colour);
/// refuse, drop, official or "#rrggbb".
[[nodiscard]] std::string alpha_text(const AlphaRule& rule);

}  // namespace atelier
