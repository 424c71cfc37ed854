#include "framework/worker/attention_pictures.h"

#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/text/prompt_words.h"

namespace atelier::worker {
namespace {

constexpr double kOpacity = 0.55;

/// 0: blue, 0.5: green and yellow, 1: red.
std::array<double, 3> heat_colour(double value) {
  const auto ramp = [value](double centre) { return std::clamp(1.5 - std::abs(4.0 * value - centre), 0.0, 1.0); };
  return {255.0 * ramp(3.0), 255.0 * ramp(2.0), 255.0 * ramp(1.0)};
}

}  // namespace

std::vector<AttentionMaps::Places> places_in(Session& session, const std::string& prompt,
                                             const std::vector<std::string>& words) {
  const auto& tokenizer = session.tokenizer(0);
  const auto read = PromptWords::of(tokenizer, prompt);
  std::vector<AttentionMaps::Places> places;
  for (const auto& word : words) places.push_back(places_of(tokenizer, read, word));
  return places;
}

Image with_heat(const Image& picture, const Tensor& map) {
  const Tensor full = at::upsample_bilinear2d(map.unsqueeze(0).unsqueeze(0), {picture.height, picture.width},
                                              /*align_corners=*/false)
                          .contiguous();
  const double largest = full.max().item<double>();
  const auto* values = full.const_data_ptr<float>();
  Image heated = picture;
  for (std::size_t pixel = 0; pixel < heated.pixels.size() / 3; ++pixel) {
    const auto colour = heat_colour(largest > 0.0 ? static_cast<double>(values[pixel]) / largest : 0.0);
    for (std::size_t channel = 0; channel < 3; ++channel) {
      auto& value = heated.pixels[3 * pixel + channel];
      value = static_cast<std::uint8_t>(std::lround((1.0 - kOpacity) * value + kOpacity * colour[channel]));
    }
  }
  return heated;
}

}  // namespace atelier::worker
