#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// One property that scenes have, with every value it can take.
struct SceneAttribute {
  std::string name;                 ///< "colour"
  std::vector<std::string> values;  ///< in the order of set.json, which is the order of a classifier's logits

  /// Place of the value, or -1.
  [[nodiscard]] std::int64_t index_of(const std::string& value) const;
};

/// What is known of one picture.
struct Scene {
  std::vector<std::string> captions;  ///< phrasings of the same content, at least one
  std::string subject;                ///< "a cat": the words for what the mask covers
  std::vector<std::int64_t> values;   ///< of each attribute: its place in SceneAttribute::values
  std::int64_t instance = 0;          ///< pictures of one instance show the same object in other places and poses
};

/// A captioned set of square pictures with masks: `images.safetensors` (`images` U8 [N, S, S, 3], RGB, rows from top to
/// bottom; `masks` U8 [N, S, S], coverage of the subject), `scenes.jsonl` (line i describes picture i) and `set.json`
/// (size, count, attributes with all values).
class SceneSet {
 public:
  /// Reads a folder. The pictures stay in the file's mapping. Throws Error (file, line, what was found, what was
  /// expected) for missing files, other sizes or types, unknown values, lines too many or too few.
  [[nodiscard]] static SceneSet open(const std::filesystem::path& folder);

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(scenes_.size()); }  ///< N
  [[nodiscard]] std::int64_t side() const { return side_; }                                      ///< S
  [[nodiscard]] const Tensor& images() const { return images_; }  ///< [N, S, S, 3] uint8 on the CPU, read-only
  [[nodiscard]] const Tensor& masks() const { return masks_; }    ///< [N, S, S] uint8 on the CPU, read-only
  [[nodiscard]] const std::vector<Scene>& scenes() const { return scenes_; }
  /// Sorted by name.
  [[nodiscard]] const std::vector<SceneAttribute>& attributes() const { return attributes_; }
  /// Place of the attribute in attributes(). Throws Error when the set has none of that name.
  [[nodiscard]] std::size_t attribute(const std::string& name) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// SHA-256 over the three files: what identifies the content.
  [[nodiscard]] std::string digest() const;

 private:
  void read_description();
  void read_scenes();
  void read_pictures();

  std::filesystem::path folder_;
  std::int64_t side_ = 0, count_ = 0;
  std::vector<SceneAttribute> attributes_;
  std::vector<Scene> scenes_;
  Tensor images_, masks_;
};

/// Pictures as networks take them: [B, S, S, 3] uint8 -> [B, 3, S, S] in [-1, 1], channels-last, of type `dtype`.
[[nodiscard]] Tensor to_pixels(const Tensor& images, c10::ScalarType dtype);

}  // namespace atelier
