#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/config/method_spec.h"
#include "framework/core/json.h"

namespace atelier {

/// Raised when the framework's own part of the results changes (loop, sampling, scoring): every key holds it.
inline constexpr int kFrameworkNumerics = 2;

/// What a training stage's results depend on, apart from the step.
struct TrainIngredients {
  std::string method;
  const StageSpec* stage = nullptr;  ///< borrowed
  std::int64_t ordinal = 0;          ///< place among the method's stages
  Json options;                      ///< exactly those that decide the stage's results; files by digest
  Json inputs = Json::object();      ///< stage -> key
  Json subject;                      ///< class_word, initializer, kind
  Json photos;                       ///< [{sha256, caption, base_caption}]
  Json lists = Json::object();       ///< id -> digest
  Json class_images;                 ///< {"photos": [{sha256, caption}]} or {"generated": [keys]}; null: none
  std::string base;
  Json numerics_class;
  std::int64_t seed = 0;
  std::int64_t total_steps = -1;  ///< -1: does not matter
};
/// The canonical description that key_of() hashes.
[[nodiscard]] Json train_description(const TrainIngredients& ingredients, std::int64_t step);

/// A subject's and a style's LoRA as one.
struct MergeIngredients {
  std::string subject, style;  ///< keys of the artifacts
  double subject_weight = 1, style_weight = 1;
  std::string as;                    ///< concat or svd
  std::optional<std::int64_t> rank;  ///< with svd
};
[[nodiscard]] Json merge_description(const MergeIngredients& ingredients);
/// `{subject}` and `{style}` of a merge's phrase replaced.
[[nodiscard]] std::string merged_phrase(const std::string& phrase, const std::string& subject,
                                        const std::string& style);

struct SampleIngredients {
  std::string method;
  Json plugin_numerics;           ///< of the stage whose artifact is applied; null without one
  Json artifact;                  ///< key; null: the base model
  Json options = Json::object();  ///< those that decide what stands for the concept
  std::string base;
  std::string negative;
  Json sampler;  ///< scheduler, steps, guidance, settings
  std::int64_t size = 512;
  std::int64_t batch = 8;
  Json numerics_class;
};
struct SamplePrompt {
  std::string id;      ///< "ti/evaluation_reconstruction/0"
  std::string text;    ///< template, with `{}`
  std::string filled;  ///< with the method's phrase
  std::string base;    ///< with what the base model sees
  std::vector<std::int64_t> seeds;
};
[[nodiscard]] Json sample_description(const SampleIngredients& ingredients, const SamplePrompt& prompt);

/// Images that the base model draws, of the class or of prompts without a concept: methods and runs share them.
struct ClassImageIngredients {
  std::string base;
  std::string prompt;         ///< with the class word
  Json sampler;               ///< scheduler, steps, guidance, settings
  std::string negative = {};  ///< in the key where there is one
  std::int64_t size = 512;
  std::int64_t batch = 4;
  Json numerics_class;
};
[[nodiscard]] Json class_images_description(const ClassImageIngredients& ingredients,
                                            const std::vector<std::int64_t>& seeds);

/// Raised when masks change (front end of the segmenter, resizing of what it says).
inline constexpr int kMaskNumerics = 1;

/// Foreground masks of pictures, or of a concept's photos.
struct MaskIngredients {
  Json segmenter;  ///< its digest; null: no picture asks it
  Json text;       ///< what it looks for; null without one
  std::string exif = "apply";
  Json numerics_class;
};
/// Of the set of pictures under the key `images`.
[[nodiscard]] Json mask_description(const MaskIngredients& ingredients, const std::string& images);
/// Of photos [{sha256, mask: SHA-256 or null}], each by the `rule` auto, files, alpha or segmenter.
[[nodiscard]] Json photo_mask_description(const MaskIngredients& ingredients, const std::string& rule,
                                          const Json& photos);

/// N of image k of a class: `atelier sample --seed N` draws it again. First 8 bytes (big endian) of
/// SHA-256("atelier.class_image/1\0<prompt>\0<k>") >> 33: no seed of a study or run decides it.
[[nodiscard]] std::int64_t class_image_seed(const std::string& prompt, std::int64_t k);

/// N of picture k of a prompt: `atelier sample --seed N` draws it again. First 8 bytes (big endian) of
/// SHA-256("atelier.sample/1\0<seed>\0<template>\0<k>") >> 33. Methods share it, so they share the noise.
[[nodiscard]] std::int64_t picture_seed(std::int64_t sample_seed, const std::string& text, std::int64_t k);

/// `{}` of a template replaced; with "" also the blanks around it become one.
[[nodiscard]] std::string filled(const std::string& text, const std::string& phrase);

/// What stands in braces in a phrase rule, replaced: `{class}`, `{placeholder}`, text options.
[[nodiscard]] std::string phrase_of(const std::string& rule, const Json& options, const std::string& class_word);
/// The first rule that holds. Throws Error when none does.
[[nodiscard]] const PhraseRule& phrase_rule(const MethodSpec& spec, const Json& options);
/// The options that its phrase rules name.
[[nodiscard]] Json phrase_options(const MethodSpec& spec, const Json& options);

/// Which part of two descriptions differs: [{"path": "options.lora_rank", "a": 5, "b": 8}, …]; null stands for absent.
[[nodiscard]] Json explain_difference(const Json& a, const Json& b);

}  // namespace atelier
