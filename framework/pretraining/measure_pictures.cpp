#include "framework/pretraining/measure_pictures.h"

#include <ATen/ops/full.h>
#include <ATen/ops/round.h>

#include <algorithm>

#include "framework/image/encode.h"

namespace atelier {
namespace {

constexpr int kScale = 2;
constexpr int kGap = 4;

void place(const Image& picture, int left, int top, Image& sheet) {
  for (int y = 0; y < picture.height * kScale; ++y) {
    const auto* from = picture.row(y / kScale);
    auto* to = sheet.row(top + y) + 3 * left;
    for (int x = 0; x < picture.width * kScale; ++x) std::copy_n(from + 3 * (x / kScale), 3, to + 3 * x);
  }
}

}  // namespace

Tensor to_bytes(const Tensor& pixels) {
  const Tensor levels = ((pixels.to(at::kCPU, at::kFloat) / 2 + 0.5).clamp(0, 1) * 255).round().to(at::kByte);
  return levels.permute({0, 2, 3, 1}).contiguous();
}

std::vector<Image> pictures_of(const Tensor& images) {
  std::vector<Image> pictures;
  const Tensor host = images.to(at::kCPU).contiguous();
  for (std::int64_t i = 0; i < host.size(0); ++i) {
    const Tensor one = host.select(0, i);
    auto picture = make_raster<Image>({static_cast<int>(one.size(1)), static_cast<int>(one.size(0))});
    std::copy_n(one.const_data_ptr<std::uint8_t>(), one.numel(), picture.pixels.begin());
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

std::vector<Image> pictures_of_masks(const Tensor& masks) {
  return pictures_of((masks.to(at::kByte) * 255).unsqueeze(-1).expand({-1, -1, -1, 3}));
}

void write_sheet(const std::filesystem::path& file, const std::vector<Image>& pictures, int most_columns,
                 const std::string& title) {
  if (pictures.empty()) return;
  const int columns = std::min(most_columns, static_cast<int>(pictures.size()));
  const auto [width, height] = pictures.front().size();
  const int rows = (static_cast<int>(pictures.size()) + columns - 1) / columns;
  const int across = kScale * width + kGap, down = kScale * height + kGap;
  auto sheet = make_raster<Image>({columns * across + kGap, rows * down + kGap});
  std::ranges::fill(sheet.pixels, std::uint8_t{255});
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto [row, column] = std::div(static_cast<int>(i), columns);
    place(pictures[i], kGap + column * across, kGap + row * down, sheet);
  }
  const std::vector<TextChunk> texts{{.key = "Title", .text = title}};
  write_png(file, sheet, texts);
}

}  // namespace atelier
