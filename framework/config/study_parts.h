#pragma once

#include "framework/config/study.h"

namespace atelier {

/// The pieces of read_study: each reads one key of the study into it and adds what is wrong. Internal to the room.
void read_concepts(const YamlNode& node, const Known& known, Study& study, Faults& faults);
void read_methods(const YamlNode& node, const Known& known, Study& study, Faults& faults);
void read_sweep(const YamlNode& node, Study& study, Faults& faults);
void read_checkpoints(const YamlNode& node, Study& study, Faults& faults);
void read_evaluate(const YamlNode& node, const Known& known, Study& study, Faults& faults);
void read_tables(const YamlNode& node, const Known& known, Study& study, Faults& faults);
void read_select(const YamlNode& node, const Known& known, Study& study, Faults& faults);
/// The side of sampled pictures in pixels.
[[nodiscard]] std::optional<std::int64_t> read_size(const YamlNode& node, const std::string& path, Faults& faults);
[[nodiscard]] std::optional<StudySampler> read_sampler(const YamlNode& node, const std::string& path,
                                                       const Known& known, Faults& faults);

// What needs the whole study to be read. `root` is its tree, `concepts` its node of that name.
/// Labels of class words name methods.
void check_class_labels(const YamlNode& concepts, const Study& study, Faults& faults);
/// Settings of samplers are those of the schedulers that they reach.
void check_sampler_settings(const YamlNode& root, const Known& known, const Study& study, Faults& faults);

/// The cells, with all faults of the sweep added.
[[nodiscard]] std::vector<Cell> expand_into(const Study& study, Faults& faults);

[[nodiscard]] const StudyMethod* find_method(const Study& study, std::string_view label);
[[nodiscard]] std::vector<std::string> method_labels(const Study& study);

/// Adds a fault for a word that is none of `words`; true when it is one.
bool check_word(const YamlNode& node, const std::string& path, const std::string& word,
                const std::vector<std::string>& words, Faults& faults);

inline constexpr std::int64_t kMaxStep = 100'000'000;
inline constexpr std::int64_t kMaxSeed = 0x7fffffffffffffff;

}  // namespace atelier
