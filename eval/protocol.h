#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "framework/core/json.h"
#include "framework/image/front_ends.h"
#include "framework/models/patch_embedding.h"

namespace atelier::eval {

/// What of a prompt template is compared with a picture (evaluation.md 0.1): `{}` deleted, filled with the class word,
/// or a text that the prompt list gives for the purpose.
enum class TextRule { drop, class_word, edit, verbatim };

/// How one encoder is used.
struct EncoderUse {
  FrontEnd front_end = FrontEnd::clip_hf;
  bool image = true;        ///< gives pair scores and <role>_i
  bool text = true;         ///< gives text scores and <role>_t
  bool image_full = false;  ///< of a masked protocol: gives <role>_i_full, of whole pictures, too
  /// Measures of whole sets of pictures (set_measures.h): of kid, fid, pres, paired, change and div.
  std::set<std::string> sets = {};
  std::optional<std::int64_t> side = {};             ///< of its pictures, instead of the encoder's own
  std::optional<FrontEnd> reference_front_end = {};  ///< of the references, where it is another
  /// LPIPS: its vectors are long, and compared by their distance.
  [[nodiscard]] bool measures_distance() const { return front_end == FrontEnd::lpips; }
};

/// A scoring protocol: plain data. Everything that moves a number is in it, so its settings enter the key of a score.
///
///   {"id": "ti_code", "text_rule": "drop", "generated": "png8", "batch": 8,
///    "encoders": {"clip": {"front_end": "ti-tensor", "scores": ["image", "text"]}},
///    "image": {"exif": "apply", "alpha": "refuse", "size": 512, "resize": "t-bicubic"},
///    "set_scores": ["gbar_norm", "clip_t_paper"]}
///
/// `masked`: true takes image scores of foregrounds; a use's scores may then hold "image_full". `text_scale`: 2.5 makes
/// text scores 2.5·max(0, cosine), as CustomConcept101 does; a score table keeps the cosines. `pos_interp`: offset0.1
/// or size, of DINOv2. `against`: base, for measures of sets that compare with the base model's pictures; by default
/// kid and fid take the references.
///
/// `generated` records how generated pictures arrive: "png8" from a file, after rounding to 8 bit, or "float", straight
/// from the decoder, as the published Textual Inversion code scores them (evaluation.md 1.2); the two differ by at most
/// half a level before the front end. `size` null or absent: the side of the generated pictures.
struct Protocol {
  std::string id;
  TextRule text_rule = TextRule::drop;
  std::map<std::string, EncoderUse> encoders;  ///< by role: "clip"
  FrontEndOptions pictures;                    ///< `role` and `image_size` are set for each picture and encoder
  bool size_from_generated = false;            ///< pictures.size is not stated
  std::int64_t batch = 8;            ///< rows of an encoder call on a device (features.h): a part of the numerics class
  std::set<std::string> set_scores;  ///< of gbar_norm and clip_t_paper
  bool masked = false;               ///< image scores are those of foregrounds
  bool against_base = false;         ///< every set comes with the base model's pictures of the same seeds
  std::optional<double> text_scale;  ///< text scores are text_scale·max(0, cosine); absent: the cosine
  PositionInterpolation positions = PositionInterpolation::offset;  ///< of DINOv2
  Json settings;                                                    ///< as given, for records

  /// Throws Error (usage) naming the key: unknown, missing or of another type.
  [[nodiscard]] static Protocol from_json(const Json& json, const std::string& where);
  /// Everything that can be set, by the names of `atelier eval --set`, with the values that hold.
  [[nodiscard]] Json resolved() const;
};

/// The text that an encoder sees: `{}` replaced by the rule, runs of blanks made one, ends stripped. `class_word` is
/// read by TextRule::class_word alone. A text without `{}` is only tidied, so the function may be applied twice.
[[nodiscard]] std::string scoring_text(TextRule rule, const std::string& text, const std::string& class_word);

}  // namespace atelier::eval
