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

  /// With its upper left corner at (`left`, `top`).
  void draw(const ConceptGrid& grid, int columns, int left, int top, PictureReader& reader) {
    left_ = left;
    top_ = top;
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
                  canvas_.row(top_ + y) + 3 * (left_ + static_cast<std::ptrdiff_t>(column) * (side_ + kGap)));
    }
  }

  void next_row() { top_ += side_ + kGap; }

  Image canvas_;
  const int side_;
  int left_ = 0, top_ = 0;
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
  throw Error(
      {.where = "grid",
       .found = fmt::format("{} x {} pixels", width, height),
       .expected = fmt::format("at most {} pixels", kMaxPixels),
       .advice = "take smaller squares with --cell, fewer prompts with --prompts, or fewer concepts with --concepts"},
      ErrorKind::usage);
}

}  // namespace

Image square_of(const Image& image, int side) {
  const int edge = std::min(image.width, image.height);
  const auto square = crop(image, {(image.width - edge) / 2, (image.height - edge) / 2, edge, edge});
  return edge == side ? square : resize(square, {side, side}, ResizeMethod::pil_lanczos);
}

Image draw_grids(const std::vector<ConceptGrid>& grids, PictureReader& reader, GridLayout layout) {
  int columns = 0;
  for (const auto& grid : grids) columns = std::max(columns, columns_of(grid));
  if (columns == 0) {
    throw Error({.where = "grid", .found = "a study that plans no pictures", .expected = "one with `evaluate`"},
                ErrorKind::usage);
  }
  const int side = layout.side == 0 ? largest_side(grids, reader) : layout.side;
  const auto across = std::min(static_cast<std::size_t>(layout.across), grids.size());
  const auto squares = [side](std::int64_t count) { return count * (side + kGap) - kGap; };
  std::vector<std::int64_t> tops{0};  // of each row of grids, and of one more
  for (std::size_t i = 0; i < grids.size(); i += across) {
    std::int64_t height = 0;
    for (std::size_t j = i; j < std::min(i + across, grids.size()); ++j) {
      height = std::max(height, squares(photo_rows(grids[j], columns) + std::ssize(grids[j].rows)));
    }
    tops.push_back(tops.back() + height + kGridGap);
  }
  const auto width = static_cast<std::int64_t>(across) * (squares(columns) + kGridGap) - kGridGap;
  check_size(width, tops.back() - kGridGap);
  GridPainter painter({static_cast<int>(width), static_cast<int>(tops.back() - kGridGap)}, side);
  for (std::size_t i = 0; i < grids.size(); ++i) {
    const auto left = static_cast<std::int64_t>(i % across) * (squares(columns) + kGridGap);
    painter.draw(grids[i], columns, static_cast<int>(left), static_cast<int>(tops[i / across]), reader);
  }
  return painter.take();
}

}  // namespace atelier::reports
