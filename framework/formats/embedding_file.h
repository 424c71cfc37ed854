#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/files/pickle_value.h"
#include "framework/files/tensor_view.h"
#include "framework/formats/lora_values.h"

namespace atelier {

/// One learned token (formats.md 11).
struct EmbeddingFile {
  std::string token;                         ///< "" when the file does not say it and the user has to
  bool token_is_stem = false;                ///< the token is only the name of the file
  std::map<std::string, TensorView> towers;  ///< [n, D] for "text_encoder", "text_encoder_2"
  std::string form;  ///< "diffusers", "A1111", "original", "two towers", "bare", "cloneofsimo", "artifact"
};

/// Whether these tensors are learned tokens and nothing else, or a cloneofsimo file that holds some.
[[nodiscard]] bool has_embeddings(const TensorFile& file);

/// The tokens of a safetensors file: {placeholder: tensor}, A1111's emb_params, SDXL's clip_l with clip_g, its older
/// text_encoders_0 with text_encoders_1, and those that a cloneofsimo LoRA holds. `placeholder` names the token where
/// the file does not store it; else its stem does. Throws Error with file and key for other tensors, and names the
/// method whose plugin reads the file (Custom Diffusion, CatVersion).
[[nodiscard]] std::vector<EmbeddingFile> read_embeddings(const TensorFile& file, const std::string& placeholder = "");

/// The tokens of a pickle: a bare tensor (token "" without a placeholder), {placeholder: tensor}, A1111's and the
/// original textual inversion's dictionary with string_to_param.
[[nodiscard]] std::vector<EmbeddingFile> read_embeddings(const PickleValue& file, const std::string& placeholder = "");

/// Throws Error unless each tower has its encoder's width and the target has the tower. `widths`: D by component.
void check_widths(const EmbeddingFile& embedding, const std::map<std::string, std::int64_t>& widths,
                  const std::string& where);

/// learned_embeds.safetensors: {token: [D] or [n, D]}.
[[nodiscard]] TensorSet learned_embeds(const std::string& token, const TensorView& vectors);
/// SDXL's form: clip_l [n, 768] and clip_g [n, 1280]. The token is not stored: the file's name should be it.
[[nodiscard]] TensorSet two_tower_embeds(const TensorView& clip_l, const TensorView& clip_g);

/// "Custom Diffusion" or "CatVersion" when keys show their tensors, else "".
[[nodiscard]] std::string other_method(const TensorFile& file);
/// The same for a pickle, whose levels tell as well.
[[nodiscard]] std::string other_method(const PickleValue& file);
/// Throws Error: `where` needs the plugin of this method.
[[noreturn]] void refuse_other_method(const std::string& where, const std::string& method);

}  // namespace atelier
