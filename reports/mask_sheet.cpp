#include "reports/mask_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/core/text.h"
#include "framework/files/zip_archive.h"
#include "framework/image/decode.h"
#include "framework/image/front_ends.h"
#include "framework/image/resize.h"
#include "framework/store/ingest_parts.h"
#include "reports/pictures.h"

namespace atelier::reports {
namespace {

constexpr int kCellGap = 4;  // pixels between cells
constexpr int kUsualThreshold = 128;
constexpr int kDarkened = 3;  // the background's part of its light: 1 / 3
constexpr Colour kOutline{255, 0, 255};
constexpr std::uint8_t kSheetWhite = 255, kUnreadGrey = 208;

std::string text_at(const Json& json, const char* name) { return text_of(text_member(json, name)); }

/// The files of an archive of the store, decoded one by one.
class StoredFiles {
 public:
  StoredFiles(const Store& store, const std::string& key) {
    if (key.empty()) return;
    const auto record = store.find(key);
    if (!record) return;
    file_ = MappedFile::open(store.object_path(record->object));
    const auto archive = ZipArchive::parse(file_->bytes(), file_->path().string());
    for (const auto& [name, entry] : archive.entries()) bytes_.push_back(entry.bytes);
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::optional<Decoded> decoded(std::size_t k) const {
    try {
      return decode(bytes_.at(k), file_->path().string());
    } catch (const Error&) {
      return std::nullopt;  // a picture that cannot be decoded is a row with a status, and here a grey cell
    }
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<std::span<const std::byte>> bytes_;
};

Image grey_cell(int side) {
  auto cell = make_raster<Image>({side, side});
  std::ranges::fill(cell.pixels, kUnreadGrey);
  return cell;
}

/// The largest size of the picture's shape within a square.
Size fitted(Size size, int side) {
  const int longest = std::max(size.width, size.height);
  const auto scaled = [&](int length) { return std::max(1, length * side / longest); };
  return {scaled(size.width), scaled(size.height)};
}

/// Whether a pixel is foreground with background, or the picture's edge, beside it.
bool on_outline(const Mask& mask, int x, int y, int threshold) {
  const auto inside = [&](int column, int row) {
    return column >= 0 && row >= 0 && column < mask.width && row < mask.height && mask.row(row)[column] >= threshold;
  };
  return inside(x, y) && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
}

Image marked(const Image& picture, const Mask& mask, int threshold, int side) {
  const Size size = fitted(picture.size(), side);
  const Image shown = resize(picture, size, ResizeMethod::pil_lanczos);
  const Mask under = resize(mask, size, ResizeMethod::pil_bilinear);
  auto cell = make_raster<Image>({side, side});
  std::ranges::fill(cell.pixels, kSheetWhite);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const auto* from = shown.row(y) + 3 * static_cast<std::ptrdiff_t>(x);
      auto* to = cell.row(y) + 3 * static_cast<std::ptrdiff_t>(x);
      const bool foreground = under.row(y)[x] >= threshold;
      for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(foreground ? from[c] : from[c] / kDarkened);
      if (!on_outline(under, x, y, threshold)) continue;
      to[0] = kOutline.red, to[1] = kOutline.green, to[2] = kOutline.blue;
    }
  }
  return cell;
}

/// Of the first evaluation that the masks serve.
int threshold_of(const Json& manifest, const Json& output) {
  for (const Json& name : list_member(output, "evaluations")) {
    const Json& settings = object_member(object_member(manifest, "protocols"), name.get<std::string>().c_str());
    const Json& image = object_member(object_member(settings, "scoring"), "image");
    if (const auto found = image.find("threshold"); found != image.end() && found->is_number_integer()) {
      return found->get<int>();
    }
  }
  return kUsualThreshold;
}

class RowReader {
 public:
  RowReader(const Store& store, const Json& manifest, const MaskSheetOptions& options)
      : store_(store), manifest_(manifest), options_(options), photos_(store) {}

  /// None: the masks are not made yet.
  [[nodiscard]] std::optional<MaskRow> read(const Json& output) {
    const StoredFiles masks(store_, text_at(output, "key"));
    if (masks.size() == 0) return std::nullopt;
    const Json& photos = list_member(output, "photos");
    const StoredFiles pictures(store_, text_at(output, "pictures"));
    const int threshold = threshold_of(manifest_, output);
    MaskRow row{.label = text_at(output, "prompt_id"), .text = {}, .foreground = {}, .cells = {}};
    for (std::size_t k = 0; k < masks.size(); ++k) {
      auto decoded = masks.decoded(k);
      if (!decoded) continue;
      const Mask mask = to_mask(*std::move(decoded), row.label);
      row.foreground.push_back(foreground_share(mask, threshold));
      if (photos.empty() && k >= options_.columns) continue;
      const auto picture = photos.empty() ? picture_of(pictures, k) : photo_of(photos, k);
      const bool fits = picture && picture->size() == mask.size();
      row.cells.push_back(fits ? marked(*picture, mask, threshold, options_.side) : grey_cell(options_.side));
    }
    return row;
  }

 private:
  [[nodiscard]] static std::optional<Image> picture_of(const StoredFiles& pictures, std::size_t k) {
    if (k >= pictures.size()) return std::nullopt;
    auto decoded = pictures.decoded(k);
    if (!decoded) return std::nullopt;
    return flatten(*std::move(decoded), {.kind = AlphaRule::Kind::drop}, "picture");
  }

  [[nodiscard]] std::optional<Image> photo_of(const Json& photos, std::size_t k) const {
    if (k >= photos.size()) return std::nullopt;
    return photos_.photo({text_at(photos[k], "path"), text_at(photos[k], "sha256")});
  }

  const Store& store_;    // borrowed
  const Json& manifest_;  // borrowed
  const MaskSheetOptions& options_;
  PictureReader photos_;
};

std::string evaluations_text(const Json& output) {
  std::vector<std::string> names;
  for (const Json& name : list_member(output, "evaluations")) names.push_back(name.get<std::string>());
  return join(names);
}

/// Templates by prompt id.
std::map<std::string, std::string> templates_of(const Json& manifest) {
  std::map<std::string, std::string> texts;
  for (const Json& job : list_member(manifest, "jobs")) {
    for (const Json& output : list_member(job, "outputs")) {
      if (output.contains("template")) texts[text_at(output, "prompt_id")] = text_at(output, "template");
    }
  }
  return texts;
}

}  // namespace

std::vector<MaskRow> read_mask_rows(const Store& store, const Json& manifest, const std::string& run,
                                    const MaskSheetOptions& options) {
  RowReader reader(store, manifest, options);
  const auto texts = templates_of(manifest);
  std::vector<MaskRow> rows;
  for (const Json& job : list_member(manifest, "jobs")) {
    if (text_at(job, "kind") != "mask" || std::ranges::count(list_member(job, "runs"), Json(run)) == 0) continue;
    for (const Json& output : list_member(job, "outputs")) {
      auto row = reader.read(output);
      if (!row) continue;
      if (const auto text = texts.find(row->label); text != texts.end()) row->text = text->second;
      if (output.contains("photos")) row->text = "photos, for " + evaluations_text(output);
      rows.push_back(*std::move(row));
    }
  }
  std::ranges::stable_partition(rows, [](const MaskRow& row) { return row.label == "photos"; });
  return rows;
}

Image draw_mask_rows(const std::vector<MaskRow>& rows, int side) {
  std::size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row.cells.size());
  if (columns == 0) {
    throw Error({.where = "masks",
                 .found = "none of this run",
                 .expected = "a run that a masked protocol scored",
                 .advice = "evaluate: [core_masked] makes some"},
                ErrorKind::usage);
  }
  const auto pitch = static_cast<std::int64_t>(side) + kCellGap;
  const std::int64_t width = static_cast<std::int64_t>(columns) * pitch - kCellGap;
  const std::int64_t height = static_cast<std::int64_t>(rows.size()) * pitch - kCellGap;
  if (width * height > static_cast<std::int64_t>(kMaxPixels)) {
    throw Error({.where = "masks",
                 .found = fmt::format("{} x {} pixels", width, height),
                 .expected = fmt::format("at most {} pixels", kMaxPixels),
                 .advice = "take a smaller --cell"},
                ErrorKind::usage);
  }
  auto sheet = make_raster<Image>({static_cast<int>(width), static_cast<int>(height)});
  std::ranges::fill(sheet.pixels, kSheetWhite);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows[i].cells.size(); ++j) {
      const Image& cell = rows[i].cells[j];
      const auto left = 3 * static_cast<std::ptrdiff_t>(j) * pitch;
      for (int y = 0; y < side; ++y) {
        std::copy_n(cell.row(y), cell.stride(),
                    sheet.row(static_cast<int>(static_cast<std::int64_t>(i) * pitch) + y) + left);
      }
    }
  }
  return sheet;
}

}  // namespace atelier::reports
