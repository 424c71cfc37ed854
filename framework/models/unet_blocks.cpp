#include "framework/models/unet_blocks.h"

#include <ATen/ops/cat.h>

#include "framework/models/activation_checkpoint.h"

namespace atelier {

Tensor UNetLayer::forward(const Tensor& x, const UNetFlow& flow) const {
  const auto residual = [&](const Tensor& in) { return resnet->forward(in, flow.time, &flow.call.adapters); };
  const auto attend = [&](const Tensor& in) { return transformer->forward(in, flow.context, flow.call); };
  if (!flow.call.checkpoint) {
    const Tensor hidden = residual(x);
    return transformer ? attend(hidden) : hidden;
  }
  // The closures outlive this frame: the backward pass calls them. The model owns the layers.
  const auto* block = resnet.get();
  const auto* attention = transformer.get();
  const UNetCall call = flow.call;
  const Tensor hidden = activation_checkpoint(
      [block, call](const Tensor& in, const Tensor& time) { return block->forward(in, time, &call.adapters); }, x,
      flow.time);
  if (attention == nullptr) return hidden;
  if (call.observer) return attend(hidden);  // observed maps must stay in the graph
  return activation_checkpoint(
      [attention, call](const Tensor& in, const Tensor& context) { return attention->forward(in, context, call); },
      hidden, flow.context);
}

Tensor DownBlock::forward(Tensor x, const UNetFlow& flow, std::vector<Tensor>& skips) const {
  for (const auto& layer : layers) {
    x = layer.forward(x, flow);
    skips.push_back(x);
  }
  if (downsample) {
    x = downsample->forward(x, &flow.call.adapters);
    skips.push_back(x);
  }
  return x;
}

Tensor MidBlock::forward(Tensor x, const UNetFlow& flow) const {
  x = first.forward(x, flow);
  return last.resnet ? last.forward(x, flow) : x;
}

Tensor UpBlock::forward(Tensor x, const UNetFlow& flow, std::vector<Tensor>& skips) const {
  for (const auto& layer : layers) {
    x = layer.forward(at::cat({x, skips.back()}, 1), flow);
    skips.pop_back();
  }
  if (!upsample) return x;
  // To the size of the next skip: twice ours, or one less where a level had an odd size.
  return upsample->forward(x, skips.back().sizes().slice(2), &flow.call.adapters);
}

}  // namespace atelier
