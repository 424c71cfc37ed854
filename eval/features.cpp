#include "eval/features.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eval/read_ahead.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"

namespace atelier::eval {
namespace {

std::optional<Decoded> try_decode(const NamedBytes& file, ExifRule exif) {
  try {
    return decode(file.bytes, file.name, exif);
  } catch (const Error&) {
    return std::nullopt;  // becomes a row with the status decode_error
  }
}

Mask mask_of(const NamedBytes& file, ExifRule exif) { return to_mask(decode(file.bytes, file.name, exif), file.name); }

/// What the encoder sees of a picture, or why it sees nothing.
struct Seen {
  PictureStatus status = PictureStatus::ok;
  std::optional<PixelValues> values = {};
};

Seen whole(const NamedBytes& file, const EncoderUse& use, const FrontEndOptions& options) {
  auto decoded = try_decode(file, options.exif);
  if (!decoded) return {.status = PictureStatus::decode_error};
  return {.values = preprocess(use.front_end, *std::move(decoded), file.name, options)};
}

/// A picture that is damaged is that, whatever its mask says.
Seen foreground(const Picture& picture, const EncoderUse& use, const FrontEndOptions& options) {
  if (picture.removed) return whole(*picture.removed, use, options);
  auto decoded = try_decode({picture.name, picture.bytes}, options.exif);
  if (!decoded) return {.status = PictureStatus::decode_error};
  if (!picture.mask) {
    throw Error({.where = picture.name,
                 .found = "no mask",
                 .expected = "a mask, or the picture without its background",
                 .advice = "the protocol scores foregrounds"});
  }
  const Mask mask = mask_of(*picture.mask, options.exif);
  if (foreground_share(mask, options.threshold) <= 0) return {.status = PictureStatus::no_foreground};
  return {.values = preprocess(use.front_end, *std::move(decoded), picture.name, options, &mask)};
}

Seen seen(const Picture& picture, const EncoderUse& use, const FrontEndOptions& options, View view) {
  if (view == View::foreground) return foreground(picture, use, options);
  if (picture.floats) {
    if (use.front_end == FrontEnd::ti_tensor) return {.values = ti_tensor(*picture.floats, options)};
    throw Error({.where = picture.name,
                 .found = "a decoder's floats for the front end " + front_end_id(use.front_end),
                 .expected = "an encoded picture",
                 .advice = "only ti-tensor is defined on floats"});
  }
  return whole({picture.name, picture.bytes}, use, options);
}

/// Gathers pictures into calls of a fixed number of rows. A picture without pixels keeps its place, as zeros.
class Batcher {
 public:
  Batcher(const Encoder& encoder, std::int64_t rows) : encoder_(encoder), rows_(rows) {
    const auto side = encoder.image_size();
    input_ = at::zeros({rows_, 3, side, side});
  }

  void add(const std::optional<PixelValues>& values) {
    const Tensor row = input_[used_++];  // a view
    if (values)
      std::memcpy(row.mutable_data_ptr<float>(), values->values.data(), values->values.size() * sizeof(float));
    given_.push_back(values.has_value());
    if (used_ == rows_) flush();
  }

  /// [n, F] of all that were added; zero rows where nothing was seen.
  [[nodiscard]] Tensor finish() {
    if (used_ > 0) flush();
    if (parts_.empty()) return at::zeros({0, 0});
    Tensor features = at::cat(parts_);
    for (std::size_t i = 0; i < given_.size(); ++i) {
      if (!given_[i]) features[static_cast<std::int64_t>(i)].zero_();
    }
    return features;
  }

 private:
  void flush() {
    // On a CPU the rows go one by one: its kernels treat the last rows and elements of a call otherwise than the first.
    parts_.push_back(encoder_.on_cpu() ? encoder_.image_features_each(input_.narrow(0, 0, used_))
                                       : encoder_.image_features(input_).narrow(0, 0, used_));
    input_.zero_();
    used_ = 0;
  }

  const Encoder& encoder_;
  std::int64_t rows_, used_ = 0;
  Tensor input_;  // [rows, 3, S, S]
  std::vector<Tensor> parts_;
  std::vector<bool> given_;
};

}  // namespace

double dot_product(const Tensor& a, const Tensor& b) {
  const auto *left = a.const_data_ptr<double>(), *right = b.const_data_ptr<double>();
  double sum = 0.0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += left[i] * right[i];
  return sum;
}

Tensor unit_rows(const Tensor& rows) {
  Tensor unit = rows.to(at::kDouble).contiguous().clone();
  if (unit.numel() == 0) return unit;
  const Tensor flat = unit.view({-1, unit.size(-1)});
  for (std::int64_t i = 0; i < flat.size(0); ++i) {
    Tensor row = flat[i];
    const double length = std::sqrt(dot_product(row, row));
    if (length > 0) row.div_(length);
  }
  return unit;
}

PictureFeatures picture_features(const Encoder& encoder, const EncoderUse& use, const Protocol& protocol,
                                 std::span<const Picture> pictures, TiRole role, View view) {
  FrontEndOptions options = protocol.pictures;
  options.role = role;
  options.image_size = static_cast<int>(encoder.image_size());
  options.threads = 1;  // a picture each: reading ahead uses the threads
  EncoderUse seen_as = use;
  if (role == TiRole::reference) seen_as.front_end = use.reference_front_end.value_or(use.front_end);
  const auto threads = static_cast<std::size_t>(at::get_num_threads());
  ReadAhead<Seen> ahead(pictures.size(), threads, 2 * static_cast<std::size_t>(protocol.batch),
                        [&](std::size_t k) { return seen(pictures[k], seen_as, options, view); });
  PictureFeatures features;
  Batcher batcher(encoder, protocol.batch);
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const auto what = ahead.next();
    features.status.push_back(what.status);
    batcher.add(what.values);
  }
  features.raw = batcher.finish();
  if (!use.measures_distance()) features.unit = unit_rows(features.raw);
  return features;
}

std::optional<double> foreground_of(const Picture& picture, const FrontEndOptions& options) {
  if (!picture.mask) return std::nullopt;
  return foreground_share(mask_of(*picture.mask, options.exif), options.threshold);
}

std::optional<int> side_of_first(std::span<const Picture> pictures, ExifRule exif) {
  for (const Picture& picture : pictures) {
    if (picture.floats) return std::min(picture.floats->width, picture.floats->height);
    if (const auto decoded = try_decode({picture.name, picture.bytes}, exif))
      return std::min(decoded->image.width, decoded->image.height);
  }
  return std::nullopt;
}

}  // namespace atelier::eval
