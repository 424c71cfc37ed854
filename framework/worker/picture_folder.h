#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/image/image.h"
#include "framework/tensor/tensor.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {

/// Where sampled pictures go: one folder a prompt, `<number>_<first words>/<number>.png`, which sort in prompt order.
/// Each file carries what made it as JSON in a text chunk ("atelier").
class PictureFolder {
 public:
  /// Throws Error when the folder cannot be made.
  PictureFolder(std::filesystem::path root, const SampleRequest& request, std::string model);

  /// Atomic; with --json also one line on standard output.
  void write(std::size_t prompt, std::int64_t picture, const Image& image) const;
  /// What the words were looked at for in that picture: `<number>_attention.safetensors` with each word's map [h, w],
  /// and beside it the picture with the map over it, `<number>_attention_<k>_<word>.png`. maps [words, h, w] on the
  /// CPU.
  void write_attention(std::size_t prompt, std::int64_t picture, const Image& image,
                       const std::vector<std::string>& words, const Tensor& maps) const;
  void write_preview(std::size_t prompt, std::int64_t picture, std::size_t step, const Image& image) const;

 private:
  [[nodiscard]] std::filesystem::path folder(std::size_t prompt) const;
  [[nodiscard]] Json provenance(std::size_t prompt, std::int64_t picture) const;

  std::filesystem::path root_;
  const SampleRequest& request_;
  std::string model_;
};

}  // namespace atelier::worker
