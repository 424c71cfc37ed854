#include "experiments/pocket/world/scene_set.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <system_error>

#include "experiments/pocket/world/captions.h"
#include "experiments/pocket/world/folder.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors_writer.h"

namespace atelier::pocket {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kImageBytes = sizeof(Picture::image);
constexpr std::size_t kMaskBytes = sizeof(Picture::mask);

Json set_json(const SceneSetOptions& options) {
  const Json attributes = {{"class", kClasses}, {"colour", kColours}, {"texture", kTextures},
                           {"place", kPlaces},  {"style", kStyles},   {"accessory", kAccessories}};
  return {{"size", kSide},          {"count", options.count},
          {"seed", options.seed},   {"split", kSplits[number(options.split)]},
          {"world", kWorldVersion}, {"attributes", attributes},
          {"licence", "CC0-1.0"}};
}

std::string scene_line(const DrawnScene& drawn) {
  const Attributes has = attributes_of(drawn.scene);
  const Json line = {{"captions", drawn.captions},
                     {"class", has.kind},
                     {"subject", subject_of(has.kind)},
                     {"attributes",
                      {{"class", has.kind},
                       {"colour", has.colour},
                       {"texture", has.texture},
                       {"place", has.place},
                       {"style", has.style},
                       {"accessory", has.accessory}}},
                     {"instance", drawn.instance}};
  return line.dump() + "\n";
}

/// A folder beside the target that is removed unless it is renamed.
class TemporarySibling {
 public:
  explicit TemporarySibling(const fs::path& target) : path_(target.string() + fmt::format(".partial-{}", getpid())) {
    make_folder(path_);
  }
  ~TemporarySibling() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporarySibling(const TemporarySibling&) = delete;
  TemporarySibling& operator=(const TemporarySibling&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  void rename_to(const fs::path& target) const {
    std::error_code failed;
    fs::rename(path_, target, failed);
    if (failed)
      throw Error({.where = target.string(),
                   .found = failed.message(),
                   .expected = "a folder that does not exist yet, or an empty one"});
  }

 private:
  fs::path path_;
};

/// Whether nothing has to be done.
bool is_there(const fs::path& folder, const std::string& wanted) {
  std::error_code failed;
  if (!fs::exists(folder, failed) || (fs::is_directory(folder, failed) && fs::is_empty(folder, failed))) return false;
  if (fs::is_regular_file(folder / "set.json", failed) && read_text_file(folder / "set.json") == wanted) return true;
  throw Error({.where = folder.string(),
               .found = "something else than the scene set that was asked for",
               .expected = "a folder that does not exist yet, an empty one, or this set",
               .advice = "name another folder, or remove this one"},
              ErrorKind::usage);
}

TensorView view(const std::vector<std::byte>& bytes, std::vector<std::int64_t> shape) {
  return {.dtype = Dtype::u8, .shape = std::move(shape), .strides = {}, .bytes = bytes, .owner = nullptr};
}

}  // namespace

bool write_scene_set(const SceneSetOptions& options, const fs::path& folder) {
  const std::string description = pretty_json(set_json(options));
  const fs::path target = fs::absolute(folder).lexically_normal();
  if (is_there(target, description)) return false;
  const TemporarySibling temporary(target.has_filename() ? target : target.parent_path());

  const auto count = static_cast<std::size_t>(options.count);
  std::vector<std::byte> images(count * kImageBytes);
  std::vector<std::byte> masks(count * kMaskBytes);
  std::string lines;
  Renderer renderer;
  Picture picture{};
  for (std::size_t i = 0; i < count; ++i) {
    const DrawnScene drawn = draw_scene(options.split, options.seed, static_cast<std::int64_t>(i));
    renderer.render(drawn.scene, picture);
    std::copy_n(reinterpret_cast<const std::byte*>(picture.image.data()), kImageBytes,
                images.begin() + static_cast<std::ptrdiff_t>(i * kImageBytes));
    std::copy_n(reinterpret_cast<const std::byte*>(picture.mask.data()), kMaskBytes,
                masks.begin() + static_cast<std::ptrdiff_t>(i * kMaskBytes));
    lines += scene_line(drawn);
  }
  write_safetensors(temporary.path() / "images.safetensors",
                    {{"images", view(images, {options.count, kSide, kSide, 3})},
                     {"masks", view(masks, {options.count, kSide, kSide})}});
  write_file_atomically(temporary.path() / "scenes.jsonl", lines);
  write_file_atomically(temporary.path() / "set.json", description);
  temporary.rename_to(target.has_filename() ? target : target.parent_path());
  return true;
}

}  // namespace atelier::pocket
