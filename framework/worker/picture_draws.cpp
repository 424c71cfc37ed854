#include "framework/worker/picture_draws.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier::worker {
namespace {

bool jitters(const ImageRecipe& recipe) { return recipe.brightness != 0.0 || recipe.contrast != 0.0; }

std::vector<std::string> keys_of(const ImageRecipe& recipe) {
  std::vector<std::string> keys;
  if (recipe.rotate_probability > 0.0) keys.emplace_back("rotate");
  if (recipe.flip_probability > 0.0) keys.emplace_back("flip");
  if (recipe.scale) keys.emplace_back("scale");
  if (!recipe.scale && recipe.random_crop) keys.emplace_back("crop");
  if (recipe.brightness != 0.0) keys.emplace_back("brightness");
  if (recipe.contrast != 0.0) keys.emplace_back("contrast");
  if (jitters(recipe)) keys.emplace_back("brightness_first");
  return keys;
}

/// One object of draws, with the words of its faults.
class Given {
 public:
  Given(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  void check(const std::vector<std::string>& keys) const {
    if (!json_.is_object()) fail("no object", "an object of draws");
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(keys, key) != keys.end()) continue;
      fail(fmt::format("\"{}\"", key),
           keys.empty() ? "{}: the recipe draws nothing" : "only what the recipe draws: " + join(keys));
    }
  }
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  [[nodiscard]] double number(const char* key) const {
    if (!json_.at(key).is_number()) fail(fmt::format("{}: {}", key, json_.at(key).dump()), "a number");
    return json_.at(key).get<double>();
  }
  [[nodiscard]] bool flag(const char* key) const {
    if (!json_.at(key).is_boolean()) fail(fmt::format("{}: {}", key, json_.at(key).dump()), "true or false");
    return json_.at(key).get<bool>();
  }
  /// Pixels, from 0.
  [[nodiscard]] int pixels(const Json& value, const char* key) const {
    if (!value.is_number_integer() || value < 0 || value > 1 << 20) {
      fail(fmt::format("{}: {}", key, value.dump()), "pixels: integers from 0");
    }
    return value.get<int>();
  }
  [[noreturn]] void fail(std::string found, std::string expected) const {
    throw Error({.where = where_, .found = std::move(found), .expected = std::move(expected)}, ErrorKind::usage);
  }

 private:
  const Json& json_;
  std::string where_;
};

void read_crop(const Given& given, TrainDraws& transform) {
  const Json* crop = given.find("crop");
  if (crop == nullptr) return;
  if (!crop->is_array() || crop->size() != 2) given.fail("crop: " + crop->dump(), "[top, left]");
  transform.crop_top = given.pixels(crop->at(0), "crop");
  transform.crop_left = given.pixels(crop->at(1), "crop");
}

PhotoPlace read_place(const Given& given, int size) {
  const Json* scale = given.find("scale");
  if (scale == nullptr) return {.side = size};
  for (const char* key : {"side", "top", "left"}) {
    if (!scale->is_object() || !scale->contains(key)) given.fail("scale: " + scale->dump(), "{side, top, left}");
  }
  return {.side = given.pixels(scale->at("side"), "scale.side"),
          .top = given.pixels(scale->at("top"), "scale.top"),
          .left = given.pixels(scale->at("left"), "scale.left")};
}

}  // namespace

Json draws_json(const ImageRecipe& recipe, const PictureDraws& draws) {
  Json json = Json::object();
  const auto& transform = draws.transform;
  if (recipe.rotate_probability > 0.0) json["rotate"] = transform.rotate ? Json(*transform.rotate) : Json();
  if (recipe.flip_probability > 0.0) json["flip"] = transform.flip;
  if (draws.place) {
    json["scale"] = {{"side", draws.place->side}, {"top", draws.place->top}, {"left", draws.place->left}};
  } else if (transform.crop_top && transform.crop_left) {
    json["crop"] = {*transform.crop_top, *transform.crop_left};
  }
  if (!draws.jitter) return json;
  if (recipe.brightness != 0.0) json["brightness"] = draws.jitter->brightness;
  if (recipe.contrast != 0.0) json["contrast"] = draws.jitter->contrast;
  json["brightness_first"] = draws.jitter->brightness_first;
  return json;
}

PictureDraws draws_from_json(const ImageRecipe& recipe, const Json& json, const std::string& where) {
  const Given given(json, where);
  given.check(keys_of(recipe));
  PictureDraws draws = plain_picture(recipe);
  if (const Json* rotate = given.find("rotate"); rotate != nullptr && !rotate->is_null()) {
    draws.transform.rotate = given.number("rotate");
  }
  if (given.find("flip") != nullptr) draws.transform.flip = given.flag("flip");
  read_crop(given, draws.transform);
  if (recipe.scale) draws.place = read_place(given, recipe.transform.size);
  if (!jitters(recipe)) return draws;
  Jitter jitter;
  if (given.find("brightness") != nullptr) jitter.brightness = given.number("brightness");
  if (given.find("contrast") != nullptr) jitter.contrast = given.number("contrast");
  if (given.find("brightness_first") != nullptr) jitter.brightness_first = given.flag("brightness_first");
  draws.jitter = jitter;
  return draws;
}

}  // namespace atelier::worker
