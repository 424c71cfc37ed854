#include "experiments/pocket/world/sheet.h"

#include <functional>

#include "experiments/pocket/world/concepts.h"
#include "experiments/pocket/world/draw.h"

namespace atelier::pocket {
namespace {

using Rows = std::vector<std::vector<Scene>>;

/// An ordinary scene in photo style with nothing worn, from which a sheet varies one thing.
Scene base_scene(std::uint64_t seed, std::size_t row, std::size_t column) {
  Scene scene = draw_scene(Split::test, seed, static_cast<std::int64_t>(4 * (row * 1000 + column))).scene;
  scene.style = Style::photo;
  scene.accessory = Accessory::none;
  return scene;
}

/// One row for each value, in which `set` gives every scene that value.
template <typename Value>
Rows rows_of(std::size_t values, std::uint64_t seed, int columns,
             const std::function<void(Scene&, Value, std::size_t)>& set) {
  Rows rows(values);
  for (std::size_t row = 0; row < values; ++row) {
    for (std::size_t column = 0; column < static_cast<std::size_t>(columns); ++column) {
      Scene scene = base_scene(seed, row, column);
      set(scene, static_cast<Value>(row), column);
      rows[row].push_back(scene);
    }
  }
  return rows;
}

Class class_at(std::size_t column) { return static_cast<Class>(column % kClasses.size()); }

Rows drawn(Split split, std::uint64_t seed, int columns) {
  Rows rows(8);
  for (std::size_t i = 0; i < rows.size() * static_cast<std::size_t>(columns); ++i)
    rows[i / static_cast<std::size_t>(columns)].push_back(draw_scene(split, seed, static_cast<std::int64_t>(i)).scene);
  return rows;
}

Rows concept_rows() {
  Rows rows;
  for (const Concept& what : concepts()) rows.push_back(concept_scenes(what));
  return rows;
}

void put(Image& sheet, const Picture& picture, int left, int top, int scale, bool mask) {
  for (int y = 0; y < kSide * scale; ++y) {
    for (int x = 0; x < kSide * scale; ++x) {
      const auto i = static_cast<std::size_t>((y / scale) * kSide + x / scale);
      for (std::size_t channel = 0; channel < 3; ++channel)
        sheet.row(top + y)[static_cast<std::size_t>(left + x) * 3 + channel] =
            mask ? picture.mask[i] : picture.image[3 * i + channel];
    }
  }
}

}  // namespace

std::vector<std::string> sheet_names() {
  return {"classes", "colours", "textures", "places", "styles", "accessories", "marks", "concepts", "train", "test"};
}

Rows sheet_scenes(const std::string& name, std::uint64_t seed, int columns) {
  if (name == "classes")
    return rows_of<Class>(kClasses.size(), seed, columns,
                          [](Scene& scene, Class value, std::size_t) { scene.instance.kind = value; });
  if (name == "colours")
    return rows_of<Hue>(kPureColours, seed, columns, [](Scene& scene, Hue value, std::size_t column) {
      scene.instance.hue = scene.instance.second = value;
      scene.place = static_cast<Place>(column % kPlaces.size());
    });
  if (name == "textures")
    return rows_of<Texture>(kTextures.size(), seed, columns, [](Scene& scene, Texture value, std::size_t column) {
      scene.instance.texture = value;
      scene.instance.kind = class_at(column);
    });
  if (name == "places")
    return rows_of<Place>(kPlaces.size(), seed, columns,
                          [](Scene& scene, Place value, std::size_t) { scene.place = value; });
  if (name == "styles")
    return rows_of<Style>(kStyles.size(), seed, columns, [seed](Scene& scene, Style value, std::size_t column) {
      scene = base_scene(seed, 0, column);
      scene.style = value;
    });
  if (name == "accessories")
    return rows_of<Accessory>(kAccessories.size(), seed, columns,
                              [](Scene& scene, Accessory value, std::size_t column) {
                                scene.accessory = value;
                                scene.instance.kind = class_at(column);
                              });
  if (name == "marks")
    return rows_of<Mark>(7, seed, columns, [](Scene& scene, Mark value, std::size_t column) {
      Random random{7, column};
      scene.instance = mixed_instance(random);
      scene.instance.kind = class_at(column);
      scene.instance.mark = value;
    });
  if (name == "concepts") return concept_rows();
  return drawn(name == "train" ? Split::train : Split::test, seed, columns);
}

Image contact_sheet(const Rows& rows, int scale, bool masks) {
  constexpr int kGap = 2;
  std::size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row.size());
  const int step = kSide * scale + kGap;
  Image sheet =
      make_raster<Image>({static_cast<int>(columns) * step + kGap, static_cast<int>(rows.size()) * step + kGap});
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), std::uint8_t{255});
  Renderer renderer;
  Picture picture{};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < rows[row].size(); ++column) {
      renderer.render(rows[row][column], picture);
      put(sheet, picture, kGap + static_cast<int>(column) * step, kGap + static_cast<int>(row) * step, scale, masks);
    }
  }
  return sheet;
}

}  // namespace atelier::pocket
