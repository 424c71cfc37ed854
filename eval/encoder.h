#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "framework/models/patch_embedding.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor.h"

namespace atelier::eval {

/// A network that scores: pictures, and for some also texts, as vectors of one space. Float32 out, not normalised.
class Encoder {
 public:
  Encoder() = default;
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  /// pixel_values [B, 3, S, S] on the CPU -> [B, F] float32 on the CPU.
  [[nodiscard]] virtual Tensor image_features(const Tensor& pixel_values) const = 0;
  /// pixel_values [n, 3, S, S] -> [n, F]: each row, to the bit, what image_features() gives for it alone.
  [[nodiscard]] virtual Tensor image_features_each(const Tensor& pixel_values) const;
  /// [F] float32 on the CPU. Throws Error for a text of more tokens than the encoder reads, for one with an added
  /// token, and for an encoder without a text half.
  [[nodiscard]] virtual Tensor text_features(const std::string& text) const = 0;
  [[nodiscard]] virtual bool on_cpu() const = 0;
  /// Side of the pictures that it wants: the config's image_size, of a DINOv2 always 224.
  [[nodiscard]] virtual std::int64_t image_size() const = 0;
};

struct EncoderFiles {
  std::filesystem::path folder;     ///< or a weight file: what read_encoder() takes
  std::filesystem::path tokenizer;  ///< empty: beside the weights, else a subfolder `tokenizer`
  std::string variant;              ///< "fp16"
  bool allow_pickle = false;
  PositionInterpolation positions = PositionInterpolation::offset;  ///< of DINOv2 (evaluation.md 7.6)
};

/// By the config's model_type: a whole `clip` or `siglip` scores pictures and texts, everything else that
/// make_image_encoder() knows scores pictures. Throws Error for files that are missing or wrong; a tokenizer is looked
/// for on first use.
[[nodiscard]] std::unique_ptr<Encoder> open_encoder(const EncoderFiles& files, const Placement& placement);

/// The encoder, asked for pictures of another side than its own.
[[nodiscard]] std::unique_ptr<Encoder> with_side(std::unique_ptr<Encoder> encoder, std::int64_t side);

/// The folder that holds a tokenizer of one of these files. Throws Error where there is none.
[[nodiscard]] std::filesystem::path tokenizer_folder(const EncoderFiles& files, const std::vector<std::string>& names);
[[nodiscard]] Tensor as_host_floats(const Tensor& features);

}  // namespace atelier::eval
