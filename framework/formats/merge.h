#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/formats/convert.h"

namespace atelier {

/// One of the files that are merged.
struct MergeInput {
  std::filesystem::path path;
  double weight = 1.0;
};

/// A LoRA beside its weight.
struct WeightedLora {
  std::vector<LoraEntry> entries;
  double weight = 1.0;
};

/// One LoRA that acts as all of them together: of every layer the blocks stand one under the other, down as they are,
/// up times weight · alpha / rank, and alpha is the new rank, so
///   scale · up · down = Σᵢ wᵢ · alphaᵢ / rankᵢ · upᵢ · downᵢ.
/// A LoRA of weight 0 is as if it were not there. float32, or float64 where a half is or `wide` says so. Ranks may
/// differ. Throws Error naming a layer whose shapes do not agree: the LoRAs are for different base models.
[[nodiscard]] std::vector<LoraEntry> concatenated(const std::vector<WeightedLora>& loras, bool wide = false);

/// weight + Σᵢ wᵢ · alphaᵢ / rankᵢ · upᵢ · downᵢ for the layers of one component ("unet"); computed in double precision
/// and rounded once, to `dtype` or the weight's own type. Tensors of other layers come back as they are.
[[nodiscard]] std::map<std::string, TensorView> with_deltas(std::map<std::string, TensorView> weights,
                                                            const std::string& component,
                                                            const std::vector<WeightedLora>& loras,
                                                            std::optional<Dtype> dtype = std::nullopt);

/// What was read and is to be written.
struct Merged {
  std::vector<WeightedLora> loras;
  std::vector<EmbeddingFile> tokens;  ///< of all files
};
/// Reads the files. Throws Error (usage) when two hold tokens of one name, and what read_for_conversion() throws.
[[nodiscard]] Merged read_inputs(const std::vector<MergeInput>& inputs, const ConvertTarget* target);

/// Writes a LoRA (one that was concatenated, or a truncation of it) in PEFT's names: `out` is the file, or a folder
/// that gets pytorch_lora_weights and, with tokens, learned_embeds. Throws Error (usage) when there are tokens and
/// `out` is a file.
void write_merged_lora(const std::vector<LoraEntry>& entries, const std::vector<EmbeddingFile>& tokens,
                       const std::filesystem::path& out);

/// Copies the pipeline folder `base` to `out` with the sum of all deltas in its weights (of type `dtype`); tokens as
/// learned_embeds beside them. Throws Error (usage) when `base` is no pipeline folder or `out` is there already.
/// Returns the number of layers.
std::size_t write_summed(const Merged& merged, const std::filesystem::path& base, const std::filesystem::path& out,
                         std::optional<Dtype> dtype = std::nullopt);

/// What a merge says when it is done.
struct MergeReport {
  std::string out, as;
  std::size_t layers = 0, loras = 0;
  std::vector<std::string> tokens;
  std::optional<double> kept;  ///< of a truncation, see truncated()
};
/// One line, as a sentence or as JSON.
[[nodiscard]] std::string merge_line(const MergeReport& report, bool json);

}  // namespace atelier
