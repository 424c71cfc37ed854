#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace atelier {

/// A prompt and what it asks for: values by attribute. An attribute that is not listed may be anything.
struct MeasuredPrompt {
  std::string prompt;
  std::map<std::string, std::string> attributes;
};

/// Two prompts that differ in the words for one attribute.
struct WordSwap {
  std::string from, to;
  std::string attribute;
  std::string from_value, to_value;
};

/// The pictures of a scene set that a quantity is measured on.
struct MeasuredScenes {
  std::string scenes;      ///< a folder below --data
  std::int64_t count = 0;  ///< the first so many; 0: all
};

struct VAEQuality {
  MeasuredScenes on;
  double psnr = 0.0;  ///< dB
};

struct ClipQuality {
  MeasuredScenes on;
  std::int64_t captions = 100;  ///< pictures, and captions to choose from, in one draw
  std::int64_t draws = 10;
  std::optional<double> top1;  ///< share of pictures whose own caption is nearest
  std::optional<double> auc;   ///< of same instance against same class
};

struct SegmenterQuality {
  MeasuredScenes on;
  double threshold = 0.5;  ///< probability from which a pixel belongs to the subject
  double iou = 0.0;
};

struct JudgeQuality {
  MeasuredScenes on;
  double accuracy = 0.0;  ///< mean over the attributes
};

struct SamplesQuality {
  std::vector<MeasuredPrompt> prompts;
  std::int64_t per_prompt = 2;
  std::map<std::string, double> judged;  ///< by attribute: share of the samples in which the judge finds what was asked
};

struct SwapsQuality {
  std::vector<WordSwap> pairs;  ///< where `each` is given, the first so many of each attribute
  double changed = 0.0;         ///< share of pairs in which the attribute became what was asked
  double kept = 0.0;            ///< share of pairs in which none of the judge's other attributes changed
};

/// How samples and word swaps are drawn.
struct MeasureSampler {
  std::string scheduler = "ddim";
  std::int64_t steps = 50;
  double guidance_scale = 5.0;
  std::int64_t seed = 0;
  std::int64_t batch = 16;
};

/// What a base model must reach, and on what it is measured. A section that is absent is not measured. All shares are
/// from 0 to 1.
struct QualityFile {
  std::filesystem::path path;
  std::optional<VAEQuality> vae;
  std::optional<ClipQuality> clip;
  std::optional<SegmenterQuality> segmenter;
  std::optional<JudgeQuality> judge;
  std::optional<SamplesQuality> samples;
  std::optional<SwapsQuality> swaps;
  MeasureSampler sampler;
};

/// Strict YAML. The prompts of `samples` and the pairs of `swaps` stand in the file, or in another one beside it that
/// is named in their place: a mapping with the lists `prompts` and `swaps`. Throws a usage Error with every fault of a
/// file (line, column, found, expected), and an Error for a file that cannot be read.
[[nodiscard]] QualityFile read_quality_file(const std::filesystem::path& path);

}  // namespace atelier
