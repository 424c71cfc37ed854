#include "framework/models/resnet_block.h"

namespace atelier {

ResnetBlock::ResnetBlock(const Scope& scope, const Options& options)
    : options_(options),
      norm1_(scope / "norm1", options.groups, options.in, options.eps),
      conv1_(scope / "conv1", options.in, options.out, {}),
      norm2_(scope / "norm2", options.groups, options.out, options.eps),
      conv2_(scope / "conv2", options.out, options.out, {}) {
  if (options.time_channels > 0) time_.emplace(scope / "time_emb_proj", options.time_channels, options.out);
  if (options.in != options.out) {
    shortcut_.emplace(scope / "conv_shortcut", options.in, options.out, Conv2d::Geometry{.kernel = 1, .padding = 0});
  }
}

Tensor ResnetBlock::forward(const Tensor& x, const Tensor& time, const AdapterCall* call) const {
  Tensor hidden = conv1_.forward(activate(norm1_.forward(x), options_.activation), call);
  if (time_.has_value()) {
    const Tensor shift = time_->forward(activate(time, options_.activation), call);  // [B, out]
    hidden = hidden + shift.unsqueeze(-1).unsqueeze(-1);
  }
  hidden = conv2_.forward(activate(norm2_.forward(hidden), options_.activation), call);
  const Tensor sum = (shortcut_.has_value() ? shortcut_->forward(x, call) : x) + hidden;
  return options_.output_scale == 1.0 ? sum : sum / options_.output_scale;
}

}  // namespace atelier
