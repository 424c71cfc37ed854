#include "experiments/pocket/world/concept_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "experiments/pocket/world/captions.h"
#include "experiments/pocket/world/folder.h"
#include "framework/core/atomic_file.h"
#include "framework/image/encode.h"

namespace atelier::pocket {
namespace {

bool is_live(Class kind) {
  return kind == Class::cat || kind == Class::dog || kind == Class::bird || kind == Class::fish;
}

std::string caption(const Scene& scene, std::string_view noun) {
  return prompt_of(
      {.colour = {}, .texture = {}, .kind = noun, .place = kPlaces[number(scene.place)], .style = {}, .accessory = {}});
}

void write_picture(const Picture& picture, const std::filesystem::path& folder, const std::string& name) {
  Image image = make_raster<Image>({kSide, kSide});
  std::copy(picture.image.begin(), picture.image.end(), image.pixels.begin());
  write_png(folder / name, image);
  Mask mask = make_raster<Mask>({kSide, kSide});
  std::copy(picture.mask.begin(), picture.mask.end(), mask.pixels.begin());
  write_png(folder / "masks" / name, mask);
}

}  // namespace

void write_concept_folder(const Concept& what, const std::filesystem::path& folder) {
  make_folder(folder / "masks");
  const std::string_view word = kClasses[number(what.instance.kind)];
  std::string yaml =
      fmt::format("class: {}\nkind: {}\nphotos:\n", word, is_live(what.instance.kind) ? "live" : "object");
  Renderer renderer;
  Picture picture{};
  int index = 0;
  for (const Scene& scene : concept_scenes(what)) {
    const std::string name = fmt::format("{:02}.png", index++);
    renderer.render(scene, picture);
    write_picture(picture, folder, name);
    yaml += fmt::format("  {0}: {{caption: \"{1}\", base_caption: \"{2}\", mask: masks/{0}}}\n", name,
                        caption(scene, "{}"), caption(scene, word));
  }
  write_file_atomically(folder / "concept.yaml", yaml);
}

}  // namespace atelier::pocket
