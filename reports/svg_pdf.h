#pragma once

#include <string>

namespace atelier::reports {

/// A figure of this room as a PDF of one page of its size (a pixel is a point), lines and letters as such, for a paper.
/// Understands what the figures here consist of: path (M L H V Z), circle, rect, text, plain colours; currentColor is
/// black. Letters are Helvetica's (not embedded, as every reader has it); signs it lacks become "?". The same figure
/// gives the same bytes. Throws Error for an SVG without a view box, or with a path of other commands.
[[nodiscard]] std::string svg_to_pdf(const std::string& svg);

}  // namespace atelier::reports
