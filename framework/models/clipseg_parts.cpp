#include "framework/models/clipseg_parts.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/relu.h>

#include <algorithm>

#include "framework/models/attention.h"
#include "framework/models/encoder_blocks.h"

namespace atelier {

std::int64_t square_side(std::int64_t patches) {
  std::int64_t side = 0;
  while ((side + 1) * (side + 1) <= patches) ++side;
  return side;
}

ClipSegVision::ClipSegVision(const Scope& clip, const VisionConfig& config, std::int64_t projection) : config_(config) {
  const Scope model = clip / "vision_model", embeddings = model / "embeddings";
  const auto width = config.block.width;
  embeddings.parameter(class_row_, "class_embedding", {width});
  patches_.emplace(embeddings / "patch_embedding", config, false);
  (embeddings / "position_embedding").parameter(positions_, "weight", {1 + config.side() * config.side(), width});
  norm_in_.emplace(model / "pre_layrnorm", width, config.block.eps);  // spelled so in every checkpoint
  blocks_ = encoder_blocks(model / "encoder.layers", config.layers, EncoderBlock::clip_names(), config.block);
  norm_out_.emplace(model / "post_layernorm", width, config.block.eps);
  projection_.emplace(clip / "visual_projection", width, projection, false);
}

Tensor ClipSegVision::embed(const Tensor& pixels) const {
  const Tensor patches = patches_->forward(pixels);  // [B, patches, D]
  const auto type = patches.scalar_type();
  const Tensor positions =
      fit_positions(positions_.unsqueeze(0), pixels.size(2) / config_.patch_size, pixels.size(3) / config_.patch_size,
                    PositionInterpolation::size, type == at::kDouble ? at::kDouble : at::kFloat);
  const Tensor classes = class_row_.to(type).expand({patches.size(0), 1, -1});
  return norm_in_->forward(at::cat({classes, patches}, 1) + positions.to(type));
}

std::vector<Tensor> ClipSegVision::states(const Tensor& pixels, const std::vector<std::int64_t>& layers) const {
  std::vector<Tensor> after;
  Tensor x = embed(pixels);
  const auto last = *std::ranges::max_element(layers);
  for (std::int64_t i = 0; i <= last; ++i) {
    x = blocks_[static_cast<std::size_t>(i)]->forward(x);
    after.push_back(x);
  }
  std::vector<Tensor> chosen;
  for (const auto layer : layers) chosen.push_back(after[static_cast<std::size_t>(layer)]);
  return chosen;
}

TileConvolution::TileConvolution(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel)
    : kernel_(kernel) {
  scope.parameter(weight_, "weight", {in, out, kernel, kernel});
  scope.parameter(bias_, "bias", {out});
}

Tensor TileConvolution::forward(const Tensor& x) const {
  return at::conv_transpose2d(x, weight_.to(x.scalar_type()), bias_.to(x.scalar_type()), kernel_);
}

/// x = norm1(x + attention(x)); x = norm2(x + feed-forward(x)): EncoderBlock with the norms after the sums.
class ClipSegDecoderLayer {
 public:
  ClipSegDecoderLayer(const Scope& scope, const ClipSegConfig& config)
      : heads_(config.decoder_heads),
        query_(scope / "self_attn.q_proj", config.reduce, config.reduce),
        key_(scope / "self_attn.k_proj", config.reduce, config.reduce),
        value_(scope / "self_attn.v_proj", config.reduce, config.reduce),
        out_(scope / "self_attn.out_proj", config.reduce, config.reduce),
        fc1_(scope / "mlp.fc1", config.reduce, config.decoder_hidden),
        fc2_(scope / "mlp.fc2", config.decoder_hidden, config.reduce),
        norm1_(scope / "layer_norm1", config.reduce, config.vision.block.eps),
        norm2_(scope / "layer_norm2", config.reduce, config.vision.block.eps) {}

  /// x [B, L, reduce] -> the same shape.
  [[nodiscard]] Tensor forward(const Tensor& x) const {
    const AttentionOptions options{.heads = heads_, .bias = {}, .causal = false, .observer = nullptr, .layer = {}};
    const Tensor mixed = out_.forward(attention(query_.forward(x), key_.forward(x), value_.forward(x), options));
    const Tensor hidden = norm1_.forward(x + mixed);
    return norm2_.forward(hidden + fc2_.forward(at::relu(fc1_.forward(hidden))));
  }

 private:
  std::int64_t heads_;
  Linear query_, key_, value_, out_, fc1_, fc2_;
  LayerNorm norm1_, norm2_;
};

ClipSegDecoder::ClipSegDecoder(const Scope& scope, const ClipSegConfig& config)
    : conditional_layer_(static_cast<std::size_t>(config.conditional_layer)),
      film_mul_(scope / "film_mul", config.projection, config.reduce),
      film_add_(scope / "film_add", config.projection, config.reduce) {
  for (std::size_t i = 0; i < config.extract_layers.size(); ++i) {
    reduces_.push_back(std::make_unique<Linear>(scope / "reduces" / i, config.vision.block.width, config.reduce));
    layers_.push_back(std::make_unique<ClipSegDecoderLayer>(scope / "layers" / i, config));
  }
  const Scope convolution = scope / "transposed_convolution";
  const auto patch = config.vision.patch_size;
  if (!config.complex_convolution) {
    last_.emplace(convolution, config.reduce, 1, patch);
    return;
  }
  first_.emplace(convolution / "0", config.reduce, config.reduce, Conv2d::Geometry{});
  middle_.emplace(convolution / "2", config.reduce, config.reduce / 2, patch / 4);
  last_.emplace(convolution / "4", config.reduce / 2, 1, patch / 4);
}

ClipSegDecoder::~ClipSegDecoder() = default;

// FiLM (Perez et al. 2018, arXiv:1709.07871): the prompt scales and shifts every channel.
Tensor ClipSegDecoder::film(const Tensor& x, const Tensor& prompt) const {
  return film_mul_.forward(prompt).unsqueeze(1) * x + film_add_.forward(prompt).unsqueeze(1);
}

Tensor ClipSegDecoder::upscale(const Tensor& grid) const {
  if (!first_.has_value()) return last_->forward(grid);
  return last_->forward(at::relu(middle_->forward(at::relu(first_->forward(grid)))));
}

// The last of the activations enters first.
Tensor ClipSegDecoder::forward(const std::vector<Tensor>& activations, const Tensor& prompt) const {
  Tensor x;  // [B, 1 + patches, reduce]
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Tensor reduced = reduces_[i]->forward(activations[activations.size() - 1 - i]);
    x = x.defined() ? reduced + x : reduced;
    if (i == conditional_layer_) x = film(x, prompt);
    x = layers_[i]->forward(x);
  }
  const auto side = square_side(x.size(1) - 1);
  const Tensor grid = x.narrow(1, 1, side * side).transpose(1, 2).reshape({x.size(0), x.size(2), side, side});
  return upscale(grid).squeeze(1);
}

}  // namespace atelier
