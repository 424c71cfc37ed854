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

std::optional<Decoded> try_decode(const Picture& picture, ExifRule exif) {
  try {
    return decode(picture.bytes, picture.name, exif);
  } catch (const Error&) {
    return std::nullopt;  // becomes a row with the status decode_error
  }
}

/// What the encoder sees of a picture; nullopt for damaged bytes.
std::optional<PixelValues> pixel_values(const Picture& picture, const EncoderUse& use, const FrontEndOptions& options) {
  if (picture.floats) {
    if (use.front_end == FrontEnd::ti_tensor) return ti_tensor(*picture.floats, options);
    throw Error({.where = picture.name,
                 .found = "a decoder's floats for the front end " + front_end_id(use.front_end),
                 .expected = "an encoded picture",
                 .advice = "only ti-tensor is defined on floats"});
  }
  auto decoded = try_decode(picture, options.exif);
  if (!decoded) return std::nullopt;
  return preprocess(use.front_end, *std::move(decoded), picture.name, options);
}

/// Gathers pictures into calls of a fixed number of rows. A damaged picture keeps its place, as zeros.
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
    decoded_.push_back(values.has_value());
    if (used_ == rows_) flush();
  }

  /// [n, F] of all that were added; zero rows for damaged pictures.
  [[nodiscard]] Tensor finish() {
    if (used_ > 0) flush();
    if (parts_.empty()) return at::zeros({0, 0});
    Tensor features = at::cat(parts_);
    for (std::size_t i = 0; i < decoded_.size(); ++i) {
      if (!decoded_[i]) features[static_cast<std::int64_t>(i)].zero_();
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
  std::vector<bool> decoded_;
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
                                 std::span<const Picture> pictures, TiRole role) {
  FrontEndOptions options = protocol.pictures;
  options.role = role;
  options.image_size = static_cast<int>(encoder.image_size());
  options.threads = 1;  // a picture each: reading ahead uses the threads
  const auto threads = static_cast<std::size_t>(at::get_num_threads());
  ReadAhead<std::optional<PixelValues>> ahead(pictures.size(), threads, 2 * static_cast<std::size_t>(protocol.batch),
                                              [&](std::size_t k) { return pixel_values(pictures[k], use, options); });
  PictureFeatures features;
  Batcher batcher(encoder, protocol.batch);
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const auto values = ahead.next();
    features.decoded.push_back(values.has_value());
    batcher.add(values);
  }
  features.raw = batcher.finish();
  features.unit = unit_rows(features.raw);
  return features;
}

std::optional<int> side_of_first(std::span<const Picture> pictures, ExifRule exif) {
  for (const Picture& picture : pictures) {
    if (picture.floats) return std::min(picture.floats->width, picture.floats->height);
    if (const auto decoded = try_decode(picture, exif)) return std::min(decoded->image.width, decoded->image.height);
  }
  return std::nullopt;
}

}  // namespace atelier::eval
