#include "reports/grid_image.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "framework/image/geometry.h"
#include "framework/image/resize.h"

namespace atelier::reports {
namespace {

constexpr int kGap = 2;       // pixels between squares
constexpr int kGridGap = 12;  // between concepts
constexpr std::uint8_t kWhite = 255, kGrey = 208, kDark = 128;

int columns_of(const ConceptGrid& grid) { return static_cast<int>(grid.prompts.size()); }

/// As many photos beside each other as there are prompts.
int photo_rows(const ConceptGrid& grid, int columns) {
  return (static_cast<int>(grid.photos.size()) + columns - 1) / columns;
}

/// Grey squares with dark stripes, 4 pixels wide.
void hatch(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::fill_n(image.row(y) + 3 * static_cast<std::ptrdiff_t>(x), 3, (x + y) / 4 % 2 == 0 ? kGrey : kDark);
    }
  }
}

Image square_without(int side, bool failed) {
  auto image = make_raster<Image>({side, side});
  std::ranges::fill(image.pixels, kGrey);
  if (failed) hatch(image);
  return image;
}

class GridPainter {
 public:
  GridPainter(Size size, int side) : canvas_(make_raster<Image>(size)), side_(side) {
    std::ranges::fill(canvas_.pixels, kWhite);
  }

  void draw(const ConceptGrid& grid, int columns, PictureReader& reader) {
    for (std::size_t i = 0; i < grid.photos.size(); ++i) {
      const int column = static_cast<int>(i) % columns;
      if (i > 0 && column == 0) next_row();
      const auto photo = reader.photo(grid.photos[i]);
      paste(photo ? square_of(*photo, side_) : square_without(side_, true), column);
    }
    if (!grid.photos.empty()) next_row();
    for (const auto& row : grid.rows) {
      for (std::size_t i = 0; i < row.cells.size(); ++i) draw_cell(row.cells[i], static_cast<int>(i), reader);
      next_row();
    }
    top_ += kGridGap - kGap;
  }

  [[nodiscard]] Image take() { return std::move(canvas_); }

 private:
  void draw_cell(const GridCell& cell, int column, PictureReader& reader) {
    if (cell.key.empty()) return;
    const auto picture = reader.picture(cell, 0);
    const bool unreadable = !picture && !cell.object.empty();
    paste(picture ? square_of(*picture, side_) : square_without(side_, cell.failed || unreadable), column);
  }

  void paste(const Image& square, int column) {
    for (int y = 0; y < side_; ++y) {
      std::copy_n(square.row(y), square.stride(),
                  canvas_.row(top_ + y) + 3 * static_cast<std::ptrdiff_t>(column) * (side_ + kGap));
    }
  }

  void next_row() { top_ += side_ + kGap; }

  Image canvas_;
  const int side_;
  int top_ = 0;
};

int largest_side(const std::vector<ConceptGrid>& grids, PictureReader& reader) {
  int side = 0;
  for (const auto& grid : grids) {
    for (const auto& row : grid.rows) {  // the first picture of a row: its others have the same size
      for (const auto& cell : row.cells) {
        const auto picture = reader.picture(cell, 0);
        if (!picture) continue;
        side = std::max({side, picture->width, picture->height});
        break;
      }
    }
  }
  return side == 0 ? 64 : side;
}

void check_size(std::int64_t width, std::int64_t height) {
  if (width * height <= static_cast<std::int64_t>(kMaxPixels)) return;
  throw Error({.where = "grid",
               .found = fmt::format("{} x {} pixels", width, height),
               .expected = fmt::format("at most {} pixels", kMaxPixels),
               .advice = "take smaller squares with --cell, or fewer prompts with --prompts"},
              ErrorKind::usage);
}

}  // namespace

Image square_of(const Image& image, int side) {
  const int edge = std::min(image.width, image.height);
  const auto square = crop(image, {(image.width - edge) / 2, (image.height - edge) / 2, edge, edge});
  return edge == side ? square : resize(square, {side, side}, ResizeMethod::pil_lanczos);
}

Image draw_grids(const std::vector<ConceptGrid>& grids, PictureReader& reader, int side) {
  int columns = 0;
  for (const auto& grid : grids) columns = std::max(columns, columns_of(grid));
  if (columns == 0) {
    throw Error({.where = "grid", .found = "a study that plans no pictures", .expected = "one with `evaluate`"},
                ErrorKind::usage);
  }
  if (side == 0) side = largest_side(grids, reader);
  std::int64_t height = -kGridGap;
  for (const auto& grid : grids) {
    const auto rows = photo_rows(grid, columns) + static_cast<std::int64_t>(grid.rows.size());
    height += rows * (side + kGap) - kGap + kGridGap;
  }
  const std::int64_t width = static_cast<std::int64_t>(columns) * (side + kGap) - kGap;
  check_size(width, height);
  GridPainter painter({static_cast<int>(width), static_cast<int>(height)}, side);
  for (const auto& grid : grids) painter.draw(grid, columns, reader);
  return painter.take();
}

}  // namespace atelier::reports
