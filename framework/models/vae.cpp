#include "framework/models/vae.h"

#include <ATen/ops/chunk.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/exp.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/config_reader.h"
#include "framework/models/vae_parts.h"

namespace atelier {
namespace {

void require_blocks(const ConfigReader& reader, const char* key, std::size_t count, const std::string& type) {
  const auto types = reader.texts(key, std::vector<std::string>(count, type));
  if (types.size() != count) reader.fail(key, std::to_string(types.size()), fmt::format("{} blocks", count));
  for (const auto& found : types) {
    if (found != type) reader.fail(key, found, type);
  }
}

}  // namespace

VAEConfig parse_vae_config(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  VAEConfig vae;
  const Json* listed = reader.find("block_out_channels");
  const std::size_t count = listed != nullptr && listed->is_array() ? listed->size() : 1;
  if (count < 1 || count > 8) reader.fail("block_out_channels", std::to_string(count), "1 to 8 blocks");
  vae.channels = reader.integers("block_out_channels", count, {64});
  require_blocks(reader, "down_block_types", count, "DownEncoderBlock2D");
  require_blocks(reader, "up_block_types", count, "UpDecoderBlock2D");
  vae.in_channels = reader.integer("in_channels", 3);
  vae.out_channels = reader.integer("out_channels", 3);
  vae.latent_channels = reader.integer("latent_channels", 4);
  vae.layers_per_block = reader.bounded("layers_per_block", 1, 100);
  vae.groups = reader.integer("norm_num_groups", 32);
  for (const auto channels : vae.channels) {
    if (vae.groups < 1 || channels % vae.groups != 0) {
      reader.fail("norm_num_groups", std::to_string(vae.groups), "a divisor of every number of channels");
    }
  }
  vae.activation = parse_activation(reader.text("act_fn", "silu"), reader.where() + ": act_fn");
  vae.scaling_factor = reader.number("scaling_factor", 0.18215);
  vae.force_upcast = reader.boolean("force_upcast", true);
  vae.quant_conv = reader.boolean("use_quant_conv", true);
  vae.post_quant_conv = reader.boolean("use_post_quant_conv", true);
  vae.mid_attention = reader.boolean("mid_block_add_attention", true);
  reader.only("shift_factor", nullptr);
  reader.only("latents_mean", nullptr);
  reader.only("latents_std", nullptr);
  if (!(vae.scaling_factor > 0)) reader.fail("scaling_factor", std::to_string(vae.scaling_factor), "a positive number");
  return vae;
}

VAE::VAE(const Json& config, Weights weights)
    : config_(parse_vae_config(config, weights.where())), placement_(weights.placement()), where_(weights.where()) {
  const Scope root(weights, registry_);
  const Conv2d::Geometry pointwise{.kernel = 1, .padding = 0};
  const auto latent = config_.latent_channels;
  encoder_ = std::make_unique<VAEEncoder>(root / "encoder", config_);
  decoder_ = std::make_unique<VAEDecoder>(root / "decoder", config_);
  if (config_.quant_conv) quant_conv_.emplace(root / "quant_conv", 2 * latent, 2 * latent, pointwise);
  if (config_.post_quant_conv) post_quant_conv_.emplace(root / "post_quant_conv", latent, latent, pointwise);
  weights.check();
}

VAE::~VAE() = default;

Posterior VAE::encode(const Tensor& pixels) const {
  const auto scale = config_.downscale();
  if (pixels.dim() != 4 || pixels.size(1) != config_.in_channels || pixels.size(2) < scale || pixels.size(3) < scale ||
      pixels.numel() == 0) {
    throw Error({.where = where_ + ": pixel_values",
                 .found = describe(pixels.sizes(), pixels.scalar_type()),
                 .expected = fmt::format("[B, {}, H, W] with H and W at least {}", config_.in_channels, scale)});
  }
  Tensor moments = encoder_->forward(pixels.to(placement_.dtype).contiguous(at::MemoryFormat::ChannelsLast));
  if (quant_conv_.has_value()) moments = quant_conv_->forward(moments);
  const auto halves = moments.chunk(2, 1);  // mean, log variance
  return {halves[0], at::exp(0.5 * halves[1].clamp(-30.0, 20.0))};
}

Tensor VAE::decode(const Tensor& latents) const {
  if (latents.dim() != 4 || latents.size(1) != config_.latent_channels || latents.numel() == 0) {
    throw Error({.where = where_ + ": latents",
                 .found = describe(latents.sizes(), latents.scalar_type()),
                 .expected = fmt::format("[B, {}, h, w]", config_.latent_channels)});
  }
  Tensor x = (latents.to(placement_.dtype) / config_.scaling_factor).contiguous(at::MemoryFormat::ChannelsLast);
  if (post_quant_conv_.has_value()) x = post_quant_conv_->forward(x);
  return decoder_->forward(x);
}

}  // namespace atelier
