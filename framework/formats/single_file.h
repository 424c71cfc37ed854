#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"
#include "framework/formats/known_configs.h"
#include "framework/formats/ldm_sections.h"

namespace atelier {

/// A single-file checkpoint in the LDM (SD 1.x, 2.x) or sgm (SDXL) layout, seen through the names of diffusers and
/// transformers; formats.md 12. Tensors stay where they are: splitting and transposing make views.
class SingleFile {
 public:
  /// Finds out what the file is. Throws Error for files of other layouts, inpainting models and the SDXL refiner, and
  /// for tensors that belong to no section (up to 20 names).
  explicit SingleFile(TensorFile file);

  /// By the sections the file has: `sd1` CLIP, `sd2` OpenCLIP, `sdxl` two text towers. A file without text encoder goes
  /// by the width of its cross-attention.
  [[nodiscard]] Family family() const noexcept { return family_; }
  /// Whether the UNet has the family's published width, so that known_configs() fits.
  [[nodiscard]] bool has_published_sizes() const;

  /// What marks in the file say of the scheduler's config: `v_pred` that the model predicts the velocity, `ztsnr` that
  /// its last timestep holds no signal, so that sampling begins there. Empty where there are none.
  [[nodiscard]] Json scheduler_marks() const;

  /// "unet", "vae", "text_encoder", "text_encoder_2".
  [[nodiscard]] bool has(std::string_view component) const;
  /// The component's tensors under present-day names. `config` is the component's (names follow from its numbers of
  /// blocks and layers). With `use_ema` the UNet's tensors are the averaged ones.
  /// Throws Error for tensors that the config has no place for and for averages that are missing.
  [[nodiscard]] TensorFile weights(std::string_view component, const Json& config, bool use_ema) const;

  [[nodiscard]] const std::string& path() const noexcept { return file_.path; }

 private:
  enum class Dialect { unet, vae, clip, open_clip };
  struct Section {
    std::string_view component;
    std::string_view prefix;
    Dialect dialect;
  };

  void refuse_other_models() const;
  void choose_sections();
  void check_names() const;
  [[nodiscard]] Family family_by_width() const;
  [[nodiscard]] std::int64_t cross_attention_width() const;
  [[nodiscard]] bool has_prefix(std::string_view prefix) const;
  [[nodiscard]] Tensors section_tensors(const Section& section, bool use_ema) const;

  TensorFile file_;
  Family family_ = Family::other;
  std::vector<Section> sections_;
};

}  // namespace atelier
