#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/mapped_file.h"
#include "framework/image/image.h"
#include "framework/store/index.h"
#include "framework/store/store.h"

namespace atelier::reports {

/// A photo of a concept, as the manifest names it.
struct PhotoFile {
  std::string path, sha256;
};

/// A column of a grid.
struct GridPrompt {
  std::string id, text, role;  ///< text: with {} for the concept; role: "" where nothing scores it
};

/// The pictures of one prompt by one run.
struct GridCell {
  std::string key, object;    ///< object empty: not there
  std::string text;           ///< the prompt as the model read it
  std::int64_t expected = 0;  ///< pictures
  bool failed = false;
};

struct GridRow {
  std::string run, label, kind;  ///< "method" or "anchor"
  std::optional<std::int64_t> seed, checkpoint;
  std::vector<GridCell> cells;  ///< one for each prompt; key empty: the run has none of it
};

/// What one concept's runs made, a row a run.
struct ConceptGrid {
  std::string subject, class_word;
  std::vector<PhotoFile> photos;
  std::vector<GridPrompt> prompts;
  std::size_t all_prompts = 0;  ///< before the choice
  std::vector<GridRow> rows;    ///< methods, then anchors, in the study's order; the last checkpoint of each training
};

struct GridChoice {
  std::size_t prompts =
      12;  ///< at most so many: a quarter of them, at least one, from those for reconstruction; spread evenly
  bool every_seed = true;  ///< false: the first seed of each label
};

/// By concept, in the order in which the study runs them. Reads manifest and index; no picture. `manifest`: a digest.
[[nodiscard]] std::vector<ConceptGrid> read_grids(Index& index, const Store& store, const std::string& manifest,
                                                  const GridChoice& choice);

/// Decodes pictures of a store's archives, and photos where they are still what the study saw.
class PictureReader {
 public:
  explicit PictureReader(const Store& store) : store_(store) {}

  /// Picture `k`; none where the archive is gone, damaged, or has fewer.
  [[nodiscard]] std::optional<Image> picture(const GridCell& cell, std::int64_t k);
  /// None where the file is gone, cannot be decoded, or has other bytes than `sha256`. Transparency is dropped.
  [[nodiscard]] std::optional<Image> photo(const PhotoFile& file) const;

 private:
  const Store store_;
  std::string object_;  ///< that `file_` is of
  std::shared_ptr<const MappedFile> file_;
};

}  // namespace atelier::reports
