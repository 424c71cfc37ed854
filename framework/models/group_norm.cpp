#include "framework/models/group_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "framework/models/group_norm_kernel.h"

namespace atelier::group_norm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr std::int64_t kPixelsOfTask = 64;

/// A batch of pictures in the kernel's eyes.
struct Pictures {
  explicit Pictures(const Tensor& x)
      : count(x.size(0)), shape{.pixels = x.size(2) * x.size(3), .channels = x.size(1)} {}

  std::int64_t count;
  Shape shape;

  [[nodiscard]] std::int64_t size() const { return shape.pixels * shape.channels; }
  /// f(picture, first channel, channels) over all blocks of channels.
  template <typename F>
  void for_channels(const F& f) const {
    const std::int64_t blocks = (shape.channels + kChannelBlock - 1) / kChannelBlock;
    at::parallel_for(0, count * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t first = task % blocks * kChannelBlock;
        f(task / blocks, first, std::min(kChannelBlock, shape.channels - first));
      }
    });
  }
  /// f(picture, first pixel, last pixel) over all blocks of pixels.
  template <typename F>
  void for_pixels(const F& f) const {
    const std::int64_t blocks = (shape.pixels + kPixelsOfTask - 1) / kPixelsOfTask;
    at::parallel_for(0, count * blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t first = task % blocks * kPixelsOfTask;
        f(task / blocks, first, std::min(first + kPixelsOfTask, shape.pixels));
      }
    });
  }
};

/// One number for each channel of each picture.
template <typename T>
class PerChannel {
 public:
  explicit PerChannel(const Pictures& pictures)
      : channels_(pictures.shape.channels), values_(static_cast<std::size_t>(pictures.count * channels_)) {}
  [[nodiscard]] T* of(std::int64_t picture) { return values_.data() + picture * channels_; }

 private:
  std::int64_t channels_;
  std::vector<T> values_;
};

/// Calls f with a null pointer of the kernel's type for this tensor type.
template <typename F>
void with_type(c10::ScalarType type, const F& f) {
  if (type == at::kFloat) {
    f(static_cast<float*>(nullptr));
  } else {
    f(static_cast<std::uint16_t*>(nullptr));
  }
}

template <typename T>
const T* data(const Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}
template <typename T>
T* data_(const Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

/// -> [B, groups, 2] float32: mean and 1 / √(variance + eps).
Tensor statistics(const Tensor& x, std::int64_t groups, double eps) {
  const Pictures pictures(x);
  PerChannel<float> shift(pictures);
  PerChannel<double> sum(pictures), square(pictures);
  with_type(x.scalar_type(), [&]<typename T>(T*) {
    pictures.for_channels([&](std::int64_t picture, std::int64_t first, std::int64_t count) {
      moments(data<T>(x) + picture * pictures.size(), pictures.shape, first, count, shift.of(picture) + first,
              sum.of(picture) + first, square.of(picture) + first);
    });
  });
  Tensor out =
      at::empty({pictures.count, groups, 2}, x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
  const auto pixels = static_cast<double>(pictures.shape.pixels);
  const std::int64_t width = pictures.shape.channels / groups;
  const double elements = pixels * static_cast<double>(width);
  for (std::int64_t picture = 0; picture < pictures.count; ++picture) {
    for (std::int64_t group = 0; group < groups; ++group) {
      double mean = 0.0;
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        mean += sum.of(picture)[c] + pixels * static_cast<double>(shift.of(picture)[c]);
      }
      mean /= elements;
      double variance = 0.0;  // Σ (x - mean)², from the sums around each channel's shift
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        const double away = static_cast<double>(shift.of(picture)[c]) - mean;
        variance += square.of(picture)[c] + 2.0 * away * sum.of(picture)[c] + pixels * away * away;
      }
      float* const row = data_<float>(out) + (picture * groups + group) * 2;
      row[0] = static_cast<float>(mean);
      row[1] = static_cast<float>(1.0 / std::sqrt(std::max(variance / elements, 0.0) + eps));
    }
  }
  return out;
}

Tensor normalised(const Tensor& x, const Tensor& statistics, const Tensor& weight, const Tensor& bias) {
  const Pictures pictures(x);
  const std::int64_t groups = statistics.size(1), width = pictures.shape.channels / groups;
  PerChannel<float> scale(pictures), offset(pictures);
  for (std::int64_t picture = 0; picture < pictures.count; ++picture) {
    for (std::int64_t c = 0; c < pictures.shape.channels; ++c) {
      const float* const row = data<float>(statistics) + (picture * groups + c / width) * 2;
      scale.of(picture)[c] = row[1] * data<float>(weight)[c];
      offset.of(picture)[c] = data<float>(bias)[c] - row[0] * scale.of(picture)[c];
    }
  }
  Tensor y = at::empty_like(x);
  with_type(x.scalar_type(), [&]<typename T>(T*) {
    pictures.for_pixels([&](std::int64_t picture, std::int64_t first, std::int64_t last) {
      scale_and_offset(data<T>(x) + picture * pictures.size(), pictures.shape, first, last, scale.of(picture),
                       offset.of(picture), data_<T>(y) + picture * pictures.size());
    });
  });
  return y;
}

struct Gradients {
  Tensor x, weight, bias;  ///< x undefined where it was not asked for
};

/// With a = dy · weight and means over a group: dx = r (a - mean(a) - x̂ mean(a x̂)).
Gradients gradients(const Tensor& dy, const Tensor& x, const Tensor& statistics, const Tensor& weight, bool of_x) {
  const Pictures pictures(x);
  const std::int64_t groups = statistics.size(1), channels = pictures.shape.channels, width = channels / groups;
  PerChannel<float> mean(pictures), scale(pictures), slope(pictures), offset(pictures);
  PerChannel<double> sum(pictures), product(pictures);
  for (std::int64_t picture = 0; picture < pictures.count; ++picture) {
    for (std::int64_t c = 0; c < channels; ++c) {
      mean.of(picture)[c] = data<float>(statistics)[(picture * groups + c / width) * 2];
    }
  }
  with_type(x.scalar_type(), [&]<typename T>(T*) {
    pictures.for_channels([&](std::int64_t picture, std::int64_t first, std::int64_t count) {
      const std::int64_t start = picture * pictures.size();
      gradient_sums(data<T>(dy) + start, data<T>(x) + start, pictures.shape, first, count, mean.of(picture),
                    sum.of(picture) + first, product.of(picture) + first);
    });
  });
  const double elements = static_cast<double>(pictures.shape.pixels * width);
  std::vector<double> of_weight(static_cast<std::size_t>(channels)), of_bias(static_cast<std::size_t>(channels));
  for (std::int64_t picture = 0; picture < pictures.count; ++picture) {
    for (std::int64_t group = 0; group < groups; ++group) {
      const auto r = static_cast<double>(data<float>(statistics)[(picture * groups + group) * 2 + 1]);
      double plain = 0.0, along = 0.0;  // Σ a and Σ a (x - mean) over the group
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        const auto factor = static_cast<double>(data<float>(weight)[c]);
        plain += factor * sum.of(picture)[c];
        along += factor * product.of(picture)[c];
        of_weight[static_cast<std::size_t>(c)] += r * product.of(picture)[c];
        of_bias[static_cast<std::size_t>(c)] += sum.of(picture)[c];
      }
      for (std::int64_t c = group * width; c < (group + 1) * width; ++c) {
        scale.of(picture)[c] = static_cast<float>(r * static_cast<double>(data<float>(weight)[c]));
        slope.of(picture)[c] = static_cast<float>(-r * r * r * along / elements);
        offset.of(picture)[c] = static_cast<float>(-r * plain / elements);
      }
    }
  }
  Gradients out{.x = {}, .weight = at::empty_like(weight), .bias = at::empty_like(weight)};
  for (std::int64_t c = 0; c < channels; ++c) {
    data_<float>(out.weight)[c] = static_cast<float>(of_weight[static_cast<std::size_t>(c)]);
    data_<float>(out.bias)[c] = static_cast<float>(of_bias[static_cast<std::size_t>(c)]);
  }
  if (!of_x) return out;
  out.x = at::empty_like(x);
  with_type(x.scalar_type(), [&]<typename T>(T*) {
    pictures.for_pixels([&](std::int64_t picture, std::int64_t first, std::int64_t last) {
      const std::int64_t start = picture * pictures.size();
      input_gradient(data<T>(dy) + start, data<T>(x) + start, pictures.shape, first, last, mean.of(picture),
                     scale.of(picture), slope.of(picture), offset.of(picture), data_<T>(out.x) + start);
    });
  });
  return out;
}

struct NormaliseFunction : torch::autograd::Function<NormaliseFunction> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight, const Variable& bias,
                          std::int64_t groups, double eps) {
    const Tensor found = statistics(x, groups, eps);
    context->save_for_backward({x, weight, found});
    return normalised(x, found, weight, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& arriving) {
    const auto saved = context->get_saved_variables();
    const Tensor dy = arriving.front().to(saved[0].scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const Gradients out = gradients(dy, saved[0], saved[2], saved[1], context->needs_input_grad(0));
    return {out.x, out.weight, out.bias, Variable(), Variable()};
  }
};

}  // namespace

bool supports(const Tensor& x) {
  return x.device().is_cpu() && x.dim() == 4 && x.numel() > 0 &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor normalise(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  const Tensor scale = weight.contiguous(), offset = bias.contiguous();
  if (c10::GradMode::is_enabled() && (x.requires_grad() || scale.requires_grad() || offset.requires_grad())) {
    return NormaliseFunction::apply(x, scale, offset, groups, eps);
  }
  return normalised(x, statistics(x, groups, eps), scale, offset);
}

}  // namespace atelier::group_norm
