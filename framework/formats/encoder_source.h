#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"
#include "framework/formats/component_folder.h"

namespace atelier {

/// An encoder on disk, read as the models here are built: with a config.json and the tensor names of transformers,
/// whatever layout the files have.
struct EncoderSource {
  Json config;         ///< `model_type` says what is built
  TensorFile weights;  ///< position_ids and logit_scale are left out
};

/// Reads an encoder from
///  - a folder with config.json: as transformers writes it;
///  - a folder with open_clip_config.json: OpenCLIP, weights in open_clip_model.safetensors or, where pickles are
///    allowed, open_clip_pytorch_model.bin;
///  - a weight file, or a folder that holds nothing else but one (and tokenizer files): by its tensors' names OpenAI's
///    CLIP, DINO, DINOv2, the Inception network of FID and KID, or LPIPS. What the names cannot say (heads, eps,
///    activation) is what was published with such names;
///  - a folder with two weight files and no config: LPIPS's weights and torchvision's trunk.
/// Throws Error for files that are missing, of no such layout, or of a variant that is not built.
[[nodiscard]] EncoderSource read_encoder(const std::filesystem::path& path, const WeightChoice& choice = {});

/// The files that decide what an encoder computes, sorted: weights, configs and the tokenizer's tables, also those of a
/// subfolder `tokenizer`. For digests.
[[nodiscard]] std::vector<std::filesystem::path> encoder_files(const std::filesystem::path& path,
                                                               const WeightChoice& choice = {});

}  // namespace atelier
