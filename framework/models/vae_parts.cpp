#include "framework/models/vae_parts.h"

namespace atelier {
namespace {

constexpr double kEps = 1e-6;  // every norm of the VAE

ResnetBlock::Options resnet(const VAEConfig& config, std::int64_t in, std::int64_t out) {
  return {.in = in, .out = out, .groups = config.groups, .eps = kEps, .activation = config.activation};
}

std::vector<std::unique_ptr<ResnetBlock>> resnets(const Scope& scope, const VAEConfig& config, std::int64_t in,
                                                  std::int64_t out, std::int64_t count) {
  std::vector<std::unique_ptr<ResnetBlock>> blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.push_back(std::make_unique<ResnetBlock>(scope / "resnets" / static_cast<std::size_t>(i),
                                                   resnet(config, i == 0 ? in : out, out)));
  }
  return blocks;
}

}  // namespace

VAEAttention::VAEAttention(const Scope& scope, const VAEConfig& config)
    : norm_(scope / "group_norm", config.groups, config.channels.back(), kEps),
      to_q_(scope / "to_q", config.channels.back(), config.channels.back()),
      to_k_(scope / "to_k", config.channels.back(), config.channels.back()),
      to_v_(scope / "to_v", config.channels.back(), config.channels.back()),
      to_out_(scope / "to_out.0", config.channels.back(), config.channels.back()) {}

Tensor VAEAttention::forward(const Tensor& x) const {
  const Tensor tokens = norm_.forward(x).permute({0, 2, 3, 1}).reshape({x.size(0), x.size(2) * x.size(3), x.size(1)});
  const Tensor mixed = attention(to_q_.forward(tokens), to_k_.forward(tokens), to_v_.forward(tokens),
                                 {.heads = 1, .bias = {}, .causal = false, .observer = nullptr, .layer = {}});
  const Tensor out = to_out_.forward(mixed).reshape({x.size(0), x.size(2), x.size(3), x.size(1)});
  return out.permute({0, 3, 1, 2}) + x;
}

VAEMidBlock::VAEMidBlock(const Scope& scope, const VAEConfig& config)
    : first_(scope / "resnets.0", resnet(config, config.channels.back(), config.channels.back())),
      last_(scope / "resnets.1", resnet(config, config.channels.back(), config.channels.back())) {
  if (config.mid_attention) attention_.emplace(scope / "attentions.0", config);
}

Tensor VAEMidBlock::forward(const Tensor& x) const {
  Tensor hidden = first_.forward(x, {}, nullptr);
  if (attention_.has_value()) hidden = attention_->forward(hidden);
  return last_.forward(hidden, {}, nullptr);
}

VAEEncoder::VAEEncoder(const Scope& scope, const VAEConfig& config)
    : activation_(config.activation),
      conv_in_(scope / "conv_in", config.in_channels, config.channels.front(), {}),
      norm_out_(scope / "conv_norm_out", config.groups, config.channels.back(), kEps),
      conv_out_(scope / "conv_out", config.channels.back(), 2 * config.latent_channels, {}) {
  std::int64_t channels = config.channels.front();
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    const Scope block = scope / "down_blocks" / i;
    Level level;
    level.resnets = resnets(block, config, channels, config.channels[i], config.layers_per_block);
    channels = config.channels[i];
    if (i + 1 < config.channels.size()) {
      level.downsample =
          std::make_unique<Downsample>(block / "downsamplers.0", channels, Downsample::Padding::right_bottom);
    }
    levels_.push_back(std::move(level));
  }
  mid_ = std::make_unique<VAEMidBlock>(scope / "mid_block", config);
}

Tensor VAEEncoder::forward(const Tensor& pixels) const {
  Tensor x = conv_in_.forward(pixels);
  for (const auto& level : levels_) {
    for (const auto& block : level.resnets) x = block->forward(x, {}, nullptr);
    if (level.downsample) x = level.downsample->forward(x, nullptr);
  }
  return conv_out_.forward(activate(norm_out_.forward(mid_->forward(x)), activation_));
}

VAEDecoder::VAEDecoder(const Scope& scope, const VAEConfig& config)
    : activation_(config.activation),
      conv_in_(scope / "conv_in", config.latent_channels, config.channels.back(), {}),
      norm_out_(scope / "conv_norm_out", config.groups, config.channels.front(), kEps),
      conv_out_(scope / "conv_out", config.channels.front(), config.out_channels, {}) {
  mid_ = std::make_unique<VAEMidBlock>(scope / "mid_block", config);
  std::int64_t channels = config.channels.back();
  for (std::size_t i = 0; i < config.channels.size(); ++i) {
    const Scope block = scope / "up_blocks" / i;
    const std::int64_t out = config.channels[config.channels.size() - 1 - i];
    Level level;
    level.resnets = resnets(block, config, channels, out, config.layers_per_block + 1);
    channels = out;
    if (i + 1 < config.channels.size()) level.upsample = std::make_unique<Upsample>(block / "upsamplers.0", channels);
    levels_.push_back(std::move(level));
  }
}

Tensor VAEDecoder::forward(const Tensor& latents) const {
  Tensor x = mid_->forward(conv_in_.forward(latents));
  for (const auto& level : levels_) {
    for (const auto& block : level.resnets) x = block->forward(x, {}, nullptr);
    if (level.upsample) x = level.upsample->forward(x, {}, nullptr);
  }
  return conv_out_.forward(activate(norm_out_.forward(x), activation_));
}

}  // namespace atelier
