#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/image/image.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// [B, S, S, 3] uint8 -> pictures.
[[nodiscard]] std::vector<Image> pictures_of(const Tensor& images);
/// [B, H, W] bool -> black pictures with the mask in white.
[[nodiscard]] std::vector<Image> pictures_of_masks(const Tensor& masks);
/// What a file of a decoder's output would hold: pixels [B, 3, S, S], any range, -> [B, S, S, 3] uint8 on the CPU.
[[nodiscard]] Tensor to_bytes(const Tensor& pixels);

/// A contact sheet: pictures of one size side by side, row by row, each pixel doubled, on white. PNG; its text says
/// what it shows. Does nothing without pictures.
void write_sheet(const std::filesystem::path& file, const std::vector<Image>& pictures, int most_columns,
                 const std::string& title);

}  // namespace atelier
