#include "framework/models/unet.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

UNet::UNet(const Json& config, Weights weights)
    : config_(parse_unet_config(config, weights.where())), placement_(weights.placement()), where_(weights.where()) {
  const Scope root(weights, registry_);
  const auto first = config_.blocks.front().channels;
  conv_in_.emplace(root / "conv_in", config_.in_channels, first, Conv2d::Geometry{});
  time_embedding_.emplace(root / "time_embedding", first, config_.time_channels, config_.activation);
  if (config_.text_time) {
    add_embedding_.emplace(root / "add_embedding", config_.added_width, config_.time_channels, Activation::silu);
  }
  build_down(root);
  build_up(root);
  build_mid(root);
  norm_out_.emplace(root / "conv_norm_out", config_.groups, first, config_.eps);
  conv_out_.emplace(root / "conv_out", first, config_.out_channels, Conv2d::Geometry{});
  weights.check();
}

ResnetBlock::Options UNet::resnet_options(std::int64_t in, std::int64_t out) const {
  return {.in = in,
          .out = out,
          .time_channels = config_.time_channels,
          .groups = config_.groups,
          .eps = config_.eps,
          .activation = config_.activation};
}

Transformer2D::Options UNet::transformer_options(const UNetConfig::Block& block, std::int64_t depth) const {
  return {.channels = block.channels,
          .context_width = block.context_width,
          .heads = block.heads,
          .depth = depth,
          .groups = config_.groups,
          .linear_projection = config_.linear_projection};
}

UNetLayer UNet::layer(const Scope& block, std::size_t index, const ResnetBlock::Options& resnet,
                      const std::optional<Transformer2D::Options>& transformer) const {
  UNetLayer layer;
  if (transformer) layer.transformer = std::make_unique<Transformer2D>(block / "attentions" / index, *transformer);
  layer.resnet = std::make_unique<ResnetBlock>(block / "resnets" / index, resnet);
  return layer;
}

void UNet::build_down(const Scope& root) {
  std::int64_t channels = config_.blocks.front().channels;
  for (std::size_t i = 0; i < config_.blocks.size(); ++i) {
    const auto& block = config_.blocks[i];
    const Scope scope = root / "down_blocks" / i;
    DownBlock down;
    for (std::size_t j = 0; j < static_cast<std::size_t>(block.layers); ++j) {
      const auto transformer = block.attends ? std::optional(transformer_options(block, block.depth[j])) : std::nullopt;
      down.layers.push_back(layer(scope, j, resnet_options(channels, block.channels), transformer));
      channels = block.channels;
    }
    if (i + 1 < config_.blocks.size()) {
      down.downsample =
          std::make_unique<Downsample>(scope / "downsamplers.0", channels, Downsample::Padding::symmetric);
    }
    down_.push_back(std::move(down));
  }
}

void UNet::build_mid(const Scope& root) {
  const auto& block = config_.blocks.back();
  auto resnet = resnet_options(block.channels, block.channels);
  resnet.output_scale = config_.mid_output_scale;
  const Scope scope = root / "mid_block";
  const auto transformer =
      config_.mid_attends ? std::optional(transformer_options(block, config_.mid_depth)) : std::nullopt;
  mid_.first = layer(scope, 0, resnet, transformer);
  if (config_.mid_attends) mid_.last = layer(scope, 1, resnet, std::nullopt);
}

void UNet::build_up(const Scope& root) {
  const std::size_t count = config_.blocks.size();
  std::int64_t channels = config_.blocks.back().channels;  // of the map that comes from below
  for (std::size_t i = 0; i < count; ++i) {
    const auto& block = config_.blocks[count - 1 - i];
    // The last layer's skip is what entered the level of this block on the way down.
    const auto entered = config_.blocks[count - 1 - std::min(i + 1, count - 1)].channels;
    const Scope scope = root / "up_blocks" / i;
    UpBlock up;
    for (std::size_t j = 0; j < block.up_depth.size(); ++j) {
      const auto skip = j + 1 == block.up_depth.size() ? entered : block.channels;
      const auto transformer =
          config_.up_attends[i] ? std::optional(transformer_options(block, block.up_depth[j])) : std::nullopt;
      up.layers.push_back(layer(scope, j, resnet_options(channels + skip, block.channels), transformer));
      channels = block.channels;
    }
    if (i + 1 < count) up.upsample = std::make_unique<Upsample>(scope / "upsamplers.0", channels);
    up_.push_back(std::move(up));
  }
}

void UNet::check(const UNetInput& input) const {
  const auto fail = [&](const char* name, const Tensor& tensor, const std::string& expected) {
    throw Error({.where = where_ + ": " + name,
                 .found = tensor.defined() ? describe(tensor.sizes(), tensor.scalar_type()) : "nothing",
                 .expected = expected});
  };
  const Tensor& sample = input.sample;
  if (!sample.defined() || sample.dim() != 4 || sample.size(1) != config_.in_channels || sample.numel() == 0) {
    fail("sample", sample, fmt::format("[B, {}, h, w]", config_.in_channels));
  }
  const auto batch = sample.size(0);
  if (!input.timesteps.defined() || input.timesteps.dim() != 1 || input.timesteps.size(0) != batch) {
    fail("timestep", input.timesteps, fmt::format("[{}]", batch));
  }
  const auto width = config_.blocks.front().context_width;
  if (!input.context.defined() || input.context.dim() != 3 || input.context.size(0) != batch ||
      input.context.size(2) != width) {
    fail("encoder_hidden_states", input.context, fmt::format("[{}, L, {}]", batch, width));
  }
  if (!config_.text_time) return;
  const auto pooled = config_.added_width - 6 * config_.added_time_width;
  if (!input.text_embeds.defined() || !(input.text_embeds.sizes() == at::IntArrayRef{batch, pooled})) {
    fail("text_embeds", input.text_embeds, fmt::format("[{}, {}]", batch, pooled));
  }
  if (!input.time_ids.defined() || !(input.time_ids.sizes() == at::IntArrayRef{batch, 6})) {
    fail("time_ids", input.time_ids, fmt::format("[{}, 6]", batch));
  }
}

Tensor UNet::embed_time(const UNetInput& input, const AdapterCall* call) const {
  const auto dtype = placement_.dtype;
  const Tensor sinusoids = sinusoidal_embedding(input.timesteps, config_.blocks.front().channels, config_.cosine_first,
                                                config_.frequency_shift);
  Tensor embedding = time_embedding_->forward(sinusoids.to(dtype), call);
  if (config_.text_time) {
    const Tensor ids = sinusoidal_embedding(input.time_ids.flatten(), config_.added_time_width, config_.cosine_first,
                                            config_.frequency_shift);  // [B·6, width]
    const Tensor added =
        at::cat({input.text_embeds.to(dtype), ids.reshape({input.time_ids.size(0), -1}).to(dtype)}, -1);
    embedding = embedding + add_embedding_->forward(added, call);
  }
  return embedding;
}

Tensor UNet::forward(const UNetInput& input, const UNetCall& call) const {
  check(input);
  const auto dtype = placement_.dtype;
  const UNetFlow flow{.time = embed_time(input, &call.adapters), .context = input.context.to(dtype), .call = call};
  Tensor x = input.sample.to(dtype).contiguous(at::MemoryFormat::ChannelsLast);
  if (config_.center_input_sample) x = 2 * x - 1.0;
  x = conv_in_->forward(x, &call.adapters);
  std::vector<Tensor> skips{x};
  for (const auto& block : down_) x = block.forward(x, flow, skips);
  x = mid_.forward(x, flow);
  for (const auto& block : up_) x = block.forward(x, flow, skips);
  return conv_out_->forward(activate(norm_out_->forward(x), config_.activation), &call.adapters);
}

}  // namespace atelier
