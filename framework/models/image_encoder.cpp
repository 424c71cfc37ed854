#include "framework/models/image_encoder.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <vector>

#include "framework/models/clip_vision.h"
#include "framework/models/dinov2.h"
#include "framework/models/inception.h"
#include "framework/models/lpips.h"
#include "framework/models/siglip_vision.h"
#include "framework/models/vit.h"

namespace atelier {

Tensor ImageEncoder::features_each(const Tensor& pixel_values) const {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < pixel_values.size(0); ++i) rows.push_back(features(pixel_values.narrow(0, i, 1)));
  return at::cat(rows);
}

std::unique_ptr<ImageEncoder> make_image_encoder(const Json& config, Weights weights, PositionInterpolation positions) {
  const ConfigReader reader(config, weights.where());
  const auto type = reader.text("model_type", "");
  if (type == "clip" || type == "clip_vision_model") return std::make_unique<ClipVision>(config, std::move(weights));
  if (type == "vit") return std::make_unique<ViT>(config, std::move(weights));
  if (type == "dinov2" || type == "dinov2_with_registers") {
    return std::make_unique<Dinov2>(config, std::move(weights), positions);
  }
  if (type == "siglip" || type == "siglip_vision_model")
    return std::make_unique<SiglipVision>(config, std::move(weights));
  if (type == "inception_v3") return std::make_unique<InceptionV3>(std::move(weights));
  if (type == "lpips") return std::make_unique<Lpips>(std::move(weights));
  reader.fail(
      "model_type", fmt::format("\"{}\"", type),
      "clip, clip_vision_model, vit, dinov2, dinov2_with_registers, siglip, siglip_vision_model, inception_v3 or "
      "lpips");
}

}  // namespace atelier
