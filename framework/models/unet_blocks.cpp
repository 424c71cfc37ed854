#include "framework/models/unet_blocks.h"

#include <ATen/ops/cat.h>

#include <functional>

#include "framework/models/activation_checkpoint.h"

namespace atelier {

namespace {

/// The transformer without its activations; the summaries are results beside the feature map.
Tensor attend_checkpointed(const Transformer2D* attention, const Tensor& x, const UNetFlow& flow) {
  UNetCall call = flow.call;
  const auto summarise = call.summaries == nullptr ? nullptr : call.summaries->summarise;
  const std::function<std::vector<Tensor>(const Tensor&, const Tensor&)> run =
      [attention, call, summarise](const Tensor& in, const Tensor& context) {
        AttentionSummaries own{.summarise = summarise, .layers = {}};
        UNetCall inner = call;
        inner.summaries = summarise ? &own : nullptr;
        std::vector<Tensor> results{attention->forward(in, context, inner)};
        results.insert(results.end(), own.layers.begin(), own.layers.end());
        return results;
      };
  const auto results = activation_checkpoint(run, x, flow.context);
  if (call.summaries != nullptr) {
    call.summaries->layers.insert(call.summaries->layers.end(), results.begin() + 1, results.end());
  }
  return results.front();
}

}  // namespace

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
  return attend_checkpointed(attention, hidden, flow);
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
