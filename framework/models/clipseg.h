#pragma once

#include <memory>
#include <vector>

#include "framework/models/clip_text.h"
#include "framework/models/vision_config.h"

namespace atelier {

/// A CLIPSegForImageSegmentation's config.json.
struct ClipSegConfig {
  VisionConfig vision;
  ClipTextConfig text;
  std::int64_t projection = 512;
  std::vector<std::int64_t> extract_layers = {3, 6, 9};  ///< vision layers, counted from 0
  std::int64_t reduce = 64;                              ///< the decoder's width
  std::int64_t decoder_heads = 4;
  std::int64_t decoder_hidden = 2048;
  std::int64_t conditional_layer = 0;  ///< the decoder layer before which the prompt enters, counted from 0
  bool complex_convolution = false;    ///< three convolutions instead of one before the logits

  /// Logits along one axis for each patch: the patch size, or (patch size / 4)² after three convolutions.
  [[nodiscard]] std::int64_t upscale() const;
};

/// Throws Error for values of a wrong type, layers that do not exist and sizes that do not fit each other.
[[nodiscard]] ClipSegConfig parse_clipseg_config(const Json& config, const Weights& weights);

class ClipSegVision;
class ClipSegDecoder;

/// CLIPSeg (Lüddecke & Ecker 2022, arXiv:2112.10003) in the layout of transformers' CLIPSegForImageSegmentation: a
/// small decoder reads three layers of a frozen CLIP and marks what a prompt names. The prompt's vector scales and
/// shifts the decoder's tokens (FiLM). As in the reference, CLIP's own tensors are `clip.…` and the decoder's
/// `decoder.…`.
///
/// Training the decoder: put leaves that require a gradient into registry().parameters["decoder.…"], compute
/// activations() and prompt() without gradients, and decode().
class ClipSeg {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected.
  ClipSeg(const Json& config, Weights weights);
  ~ClipSeg();
  ClipSeg(const ClipSeg&) = delete;
  ClipSeg& operator=(const ClipSeg&) = delete;

  /// The logit of "belongs to what the prompt names" of every pixel. pixel_values [B, 3, S, S], normalised as CLIP's,
  /// S a multiple of the patch size (another S than the config's: positions by size, bicubic); conditional [B, P], an
  /// embedding of text() or of a CLIP, as it is (not normalised). -> [B, H, H], H = S / patch size · upscale(); the two
  /// sides differ where a model of three convolutions has another patch size than 16.
  [[nodiscard]] Tensor forward(const Tensor& pixel_values, const Tensor& conditional) const;

  /// ids [B, L] int64 of CLIP's vocabulary -> [B, P].
  [[nodiscard]] Tensor prompt(const Tensor& ids) const;
  /// The states after extract_layers, in their order, [B, 1 + patches, D] each.
  [[nodiscard]] std::vector<Tensor> activations(const Tensor& pixel_values) const;
  /// forward() from activations: one picture's can be used for several prompts, row by row.
  [[nodiscard]] Tensor decode(const std::vector<Tensor>& activations, const Tensor& conditional) const;

  [[nodiscard]] const ClipSegConfig& config() const { return config_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Registry& registry() { return registry_; }

 private:
  void check(const std::vector<Tensor>& activations) const;

  ClipSegConfig config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  std::unique_ptr<ClipSegVision> vision_;
  std::unique_ptr<ClipText> text_;
  std::unique_ptr<ClipSegDecoder> decoder_;
};

}  // namespace atelier
