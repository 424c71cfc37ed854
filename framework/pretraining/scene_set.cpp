#include "framework/pretraining/scene_set.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/text.h"
#include "framework/files/safetensors.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostPixels = 4096;  // along one side
constexpr std::int64_t kMostScenes = 10'000'000;
constexpr std::size_t kLargestText = std::size_t{4} << 30;  // bytes of scenes.jsonl
constexpr const char* kPictures = "images.safetensors";
constexpr const char* kScenes = "scenes.jsonl";
constexpr const char* kDescription = "set.json";

[[noreturn]] void refuse(std::string where, std::string found, std::string expected) {
  throw Error({.where = std::move(where), .found = std::move(found), .expected = std::move(expected)});
}

/// The value of a key, or an error that names file (or line) and key.
const Json& need(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object()) refuse(where, "no object", "an object");
  const auto found = object.find(key);
  if (found == object.end()) refuse(where, fmt::format("no \"{}\"", key), fmt::format("the key \"{}\"", key));
  return *found;
}

std::int64_t integer(const Json& object, const char* key, std::int64_t low, std::int64_t high,
                     const std::string& where) {
  const Json& value = need(object, key, where);
  const auto expected = fmt::format("an integer from {} to {}", low, high);
  if (!value.is_number_integer()) refuse(where + ": " + key, value.dump(), expected);
  const auto number = value.get<std::int64_t>();
  if (number < low || number > high) refuse(where + ": " + key, value.dump(), expected);
  return number;
}

std::string text(const Json& object, const char* key, const std::string& where) {
  const Json& value = need(object, key, where);
  if (!value.is_string()) refuse(where + ": " + key, value.dump(), "a string");
  return value.get<std::string>();
}

std::vector<std::string> texts(const Json& value, const std::string& where) {
  std::vector<std::string> found;
  if (!value.is_array() || value.empty()) refuse(where, value.dump(), "a list of strings");
  for (const Json& item : value) {
    if (!item.is_string()) refuse(where, value.dump(), "a list of strings");
    found.push_back(item.get<std::string>());
  }
  return found;
}

Scene parse_scene(const Json& line, const std::vector<SceneAttribute>& attributes, const std::string& where) {
  Scene scene{.captions = texts(need(line, "captions", where), where + ": captions"),
              .subject = text(line, "subject", where),
              .values = {},
              .instance = integer(line, "instance", 0, std::int64_t{1} << 53, where)};
  const Json& given = need(line, "attributes", where);
  for (const SceneAttribute& attribute : attributes) {
    const std::string place = where + ": attributes";
    const std::string value = text(given, attribute.name.c_str(), place);
    const auto index = attribute.index_of(value);
    if (index < 0) {
      refuse(fmt::format("{}: {}", place, attribute.name), fmt::format("\"{}\"", value),
             "one of " + join(attribute.values));
    }
    scene.values.push_back(index);
  }
  if (given.size() != attributes.size()) {
    refuse(where + ": attributes", fmt::format("{} attributes", given.size()),
           fmt::format("the {} of {}", attributes.size(), kDescription));
  }
  return scene;
}

/// A view of the mapping: nothing is copied, however large the set is.
Tensor bytes_of(const TensorFile& file, const char* name, const std::vector<std::int64_t>& shape) {
  const auto found = file.tensors.find(name);
  const auto where = fmt::format("{}: {}", file.path, name);
  const auto expected = fmt::format("[{}] U8", fmt::join(shape, ", "));
  if (found == file.tensors.end()) refuse(where, "no such tensor", expected);
  if (found->second.dtype != Dtype::u8 || found->second.shape != shape) {
    refuse(where, describe(found->second), expected + fmt::format(", as {} says", kDescription));
  }
  return to_tensor(found->second);
}

}  // namespace

std::int64_t SceneAttribute::index_of(const std::string& value) const {
  const auto found = std::ranges::find(values, value);
  return found == values.end() ? -1 : found - values.begin();
}

SceneSet SceneSet::open(const fs::path& folder) {
  for (const char* name : {kDescription, kScenes, kPictures}) {
    if (fs::is_regular_file(folder / name)) continue;
    throw Error({.where = (folder / name).string(),
                 .found = fs::is_directory(folder) ? "no such file" : "no such folder",
                 .expected = fmt::format("a scene set: {}, {} and {}", kDescription, kScenes, kPictures),
                 .advice = "draw one, or name another folder"});
  }
  SceneSet set;
  set.folder_ = folder;
  set.read_description();
  set.read_scenes();
  set.read_pictures();
  return set;
}

void SceneSet::read_description() {
  const std::string where = (folder_ / kDescription).string();
  const Json description = read_json_file(where);
  side_ = integer(description, "size", 1, kMostPixels, where);
  count_ = integer(description, "count", 1, kMostScenes, where);
  const Json& attributes = need(description, "attributes", where);
  if (!attributes.is_object() || attributes.empty()) {
    refuse(where + ": attributes", attributes.dump(), "an object: every attribute with the list of its values");
  }
  for (const auto& [name, values] : attributes.items()) {
    const std::string place = fmt::format("{}: attributes: {}", where, name);
    SceneAttribute attribute{.name = name, .values = texts(values, place)};
    for (const auto& value : attribute.values) {
      if (std::ranges::count(attribute.values, value) > 1) refuse(place, value + " twice", "each value once");
    }
    attributes_.push_back(std::move(attribute));
  }
}

void SceneSet::read_scenes() {
  const fs::path path = folder_ / kScenes;
  const std::string content = read_text_file(path, kLargestText);
  scenes_.reserve(static_cast<std::size_t>(count_));
  for (std::size_t begin = 0; begin < content.size();) {
    const auto end = std::min(content.find('\n', begin), content.size());
    const std::string where = fmt::format("{}:{}", path.string(), scenes_.size() + 1);
    if (static_cast<std::int64_t>(scenes_.size()) == count_) {
      refuse(where, "another scene", fmt::format("{} lines, as {} says", count_, kDescription));
    }
    const Json line = parse_json(std::string_view(content).substr(begin, end - begin), where);
    scenes_.push_back(parse_scene(line, attributes_, where));
    begin = end + 1;
  }
  if (static_cast<std::int64_t>(scenes_.size()) != count_) {
    refuse(path.string(), fmt::format("{} lines", scenes_.size()), fmt::format("{}, as {} says", count_, kDescription));
  }
}

void SceneSet::read_pictures() {
  const TensorFile file = read_safetensors(folder_ / kPictures);
  images_ = bytes_of(file, "images", {count_, side_, side_, 3});
  masks_ = bytes_of(file, "masks", {count_, side_, side_});
}

std::size_t SceneSet::attribute(const std::string& name) const {
  const auto found = std::ranges::find(attributes_, name, &SceneAttribute::name);
  if (found != attributes_.end()) return static_cast<std::size_t>(found - attributes_.begin());
  std::vector<std::string> names;
  for (const auto& attribute : attributes_) names.push_back(attribute.name);
  refuse((folder_ / kDescription).string(), fmt::format("no attribute \"{}\"", name), "one of " + join(names));
}

std::string SceneSet::digest() const {
  std::string digests;
  for (const char* name : {kDescription, kScenes, kPictures}) digests += sha256_file(folder_ / name) + "\n";
  return sha256_hex(digests);
}

Tensor to_pixels(const Tensor& images, c10::ScalarType dtype) {
  // The bytes lie as channels-last already, so the permuted view is what convolutions want.
  const Tensor wide = images.permute({0, 3, 1, 2}).to(at::kFloat);
  return wide.mul_(2.0 / 255.0).sub_(1.0).to(dtype);
}

}  // namespace atelier
