#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/plan/data_folder.h"
#include "framework/plan/photos.h"

namespace atelier {

struct ConceptPhoto {
  std::string name;  ///< relative to the concept's folder
  std::filesystem::path path;
  std::string sha256;
  std::string caption;       ///< `{}` stands for the concept; "": the method's own
  std::string base_caption;  ///< the same with the class word (DCO)
  std::filesystem::path mask = {};
  bool held_out = false;  ///< neither trained on nor a reference
};

/// What a concept's folder, or the set that it belongs to, says about it.
struct ConceptFacts {
  std::string class_word;
  std::map<std::string, std::string> classes;                ///< by method, where authors differ
  std::string initializer = {}, kind = {}, prompt_set = {};  ///< "": not said
};

struct ConceptFolder {
  std::string name;
  std::filesystem::path path;
  ConceptFacts facts;
  std::filesystem::path class_images;  ///< a folder with images of the class; empty: none
  std::vector<ConceptPhoto> photos;    ///< in name order; in the order of DCO's config where that is read
  std::vector<std::string> notes;      ///< ignored files

  /// Throws Error (usage) when nothing says what it is.
  [[nodiscard]] std::string class_for(const std::string& method) const;
  /// Photos that are not held out. Throws Error (usage) when there is none.
  [[nodiscard]] std::vector<ConceptPhoto> used_photos() const;
};

/// Reads a folder with photos. Beside them may lie
/// - concept.yaml: {class, classes: {method: word}, initializer, kind: object|live|style|scene, prompt_set,
///   class_images: a folder inside, photos: {name: {caption, base_caption, mask}}, held_out: [names], entry:
///   "full_ti"};
/// - config.json of DCO: the entry `entry`, else full_ti, else the only one. Its images are looked up by their paths
///   below the folder, else by their file names; its token becomes `{}`.
/// What the folder says wins over `known`. Throws Error (usage) for unknown keys with the nearest one, photos that
/// cannot be decoded, files with a picture's name and other content, and paths that leave the folder.
[[nodiscard]] ConceptFolder read_concept(const std::filesystem::path& folder, PhotoReader& reader,
                                         const ConceptFacts& known = {});

/// The images of a class in a folder, in name order: what prior preservation trains on. `captions.txt` there, one line
/// for each picture, gives their captions. Throws Error (usage) for a folder that is not there or has no picture, for
/// pictures that cannot be decoded, and for another number of captions.
[[nodiscard]] std::vector<ConceptPhoto> read_class_images(const std::filesystem::path& folder, PhotoReader& reader);

/// One concept of a published set.
struct SetEntry {
  std::string name;
  ConceptFacts facts;
  std::optional<std::size_t> photos;  ///< how many the published set has, where that is known
  std::string source = {};            ///< where the set has it from; "": not said
};

/// concepts39 or dreambench, in the file's order. Throws Error (usage) for another id, with the nearest one.
[[nodiscard]] std::vector<SetEntry> read_concept_set(const std::string& id,
                                                     const std::filesystem::path& data = data_folder());

/// The concepts of a set below `root`, by name. `only` empty: all. Throws Error (usage) with every folder that is
/// missing, and for names that the set does not have.
[[nodiscard]] std::vector<ConceptFolder> read_concepts(const std::vector<SetEntry>& set,
                                                       const std::filesystem::path& root,
                                                       const std::vector<std::string>& only,
                                                       const std::vector<std::string>& exclude, PhotoReader& reader);

}  // namespace atelier
