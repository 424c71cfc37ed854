#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/plan/data_folder.h"

namespace atelier {

/// A list of prompt templates. `{}` stands for the concept; lists for two concepts have {0} and {1}.
struct PromptList {
  std::string id;  ///< "<file stem>/<name>": "ti/evaluation_reconstruction"
  std::vector<std::string> prompts;
  std::string role, source, note;  ///< what it is for and where it was found; "" where the file says nothing
  std::string digest;              ///< SHA-256 of the templates in their order: what enters keys
  std::vector<std::string> edits;  ///< what each prompt asks for beside the concept ("on the moon"); empty: not said
  std::vector<std::string> score_texts;      ///< what each prompt's pictures are compared with, word for word; or empty
  std::set<std::size_t> changes_appearance;  ///< prompts that identity scores may leave out (evaluation.md 5.3)
};

/// The prompt lists of the data folder, read when first asked for.
class PromptCatalog {
 public:
  explicit PromptCatalog(std::filesystem::path folder = data_folder());

  /// Throws Error (usage) for an id that no file has, with the nearest one.
  [[nodiscard]] const PromptList& list(const std::string& id) const;
  [[nodiscard]] bool contains(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> ids() const;

 private:
  void load(const std::string& stem) const;
  [[nodiscard]] const PromptList* find(const std::string& id) const;
  [[nodiscard]] std::vector<std::string> stems() const;
  std::filesystem::path folder_;
  mutable std::map<std::string, PromptList> lists_;  // by id
  mutable std::map<std::string, bool> loaded_;       // by stem
};

/// A scoring protocol of the data folder.
struct ProtocolSpec {
  std::string id, title;
  Json pictures;   ///< prompts [{list, role, kind}], images_per_prompt, sampler, negative, batch; null: none
  Json scoring;    ///< what atelier::eval::Protocol reads, without its id
  Json encoders;   ///< role -> {model, dtype}: which encoder folders it needs
  Json masks;      ///< of a masked protocol: segmenter (a model), text (`{}`: the class word), photos; else null
  Json reduction;  ///< what is derived of the scores of concepts: reconstruction, editability, overall
};

/// Throws Error (usage) for an id that no file has, with the nearest one.
[[nodiscard]] ProtocolSpec read_protocol(const std::string& id, const std::filesystem::path& folder = data_folder());
/// What a study may change of a protocol's scoring: text_rule, batch, pos_interp, the settings of its pictures (exif,
/// size, …), frontend.<role>, side.<role> and, of a masked protocol, mask_text and photo_masks.
[[nodiscard]] std::vector<std::string> scoring_settings(const ProtocolSpec& protocol);
/// Changes all but those of masks in a protocol's `scoring`. Throws Error (usage) for another name, with the nearest
/// one.
void change_scoring(Json& scoring, const Json& changes, const std::string& where);
/// Takes those of masks out of `changes` into `masks`. Throws Error (usage) for a value that they cannot have.
void change_masks(Json& masks, Json& changes, const std::string& where);
[[nodiscard]] std::vector<std::string> protocol_ids(const std::filesystem::path& folder = data_folder());
/// Those that a study can ask for: the others score folders alone (`atelier eval`).
[[nodiscard]] std::vector<std::string> study_protocol_ids(const std::filesystem::path& folder = data_folder());

}  // namespace atelier
