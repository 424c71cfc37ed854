#pragma once

#include <string>
#include <vector>

#include "framework/config/option_spec.h"
#include "framework/core/error.h"

namespace atelier {

/// Raised with every change of this file's structures, of Stage, of Method or of the plugin table.
inline constexpr int kPluginApi = 3;

/// How many optimizer steps a stage takes: a sum of integer options minus a sum of others (TextReg's second stage:
/// max_train_steps - ti_train_step).
struct StepCount {
  std::vector<std::string> add, subtract;
};

/// Options that a stage reads only where a condition holds.
struct ConditionalReads {
  Condition when;
  std::vector<std::string> options;
};

/// How pictures are sampled.
struct SamplerSpec {
  std::string scheduler = "ddim";
  std::int64_t steps = 50;
  double guidance = 7.5;
  std::optional<double> reward_guidance = {};  ///< scale of the reward guidance of Lee et al. 2024; unset: none
  Json settings = Json::object();              ///< keys of the scheduler's config
};

/// One training stage as the planner sees it: plain data.
struct StageSpec {
  std::string name;
  int numerics = 1;                          ///< raise when results change (tests/numerics.lock watches)
  std::vector<std::string> reads;            ///< the options this stage sees; those that decide results enter its key
  std::vector<ConditionalReads> reads_when;  ///< further ones; stage_reads() has both
  std::vector<std::string> inputs;           ///< earlier stages whose artifacts it starts from
  std::vector<Condition> runs_when;          ///< all must hold, else the stage is left out (a token given as a file)
  StepCount steps;                           ///< none of these options needs to stand in `reads`
  std::vector<Condition> depends_on_total_when;  ///< if one holds, a checkpoint depends on the total number of steps
  std::vector<std::string> lists;                ///< prompt lists that it draws from, by id
  std::vector<Condition> class_images_when;      ///< needs images of the class when all hold (never when empty)
  SamplerSpec class_images_sampler = {.scheduler = "pndm"};  ///< with which the base model draws them
};

struct PresetSpec {
  std::string name;
  std::string help;
  Json options;  ///< object: name -> value
};

/// An argument of the method's published program, and what became of it.
struct ArgumentSpec {
  enum class Status { option, framework, refused, without_effect };
  std::string name;  ///< "--lora_rank"
  Status status = Status::option;
  std::string text;  ///< the option's name; else one sentence
};

/// What stands for the concept in prompts: the first rule whose conditions hold. `{class}` becomes the class word,
/// `{placeholder}` the value of the option placeholder_token, and any other name in braces that of the text option.
struct PhraseRule {
  std::vector<Condition> when;
  std::string text;  ///< "{placeholder} {class}"
  std::string base;  ///< the same for the base model: "{class}"
};

/// A method as help and the planner see it. A plugin holds it; its description file beside the library repeats it.
struct MethodSpec {
  std::string name;
  std::string summary;  ///< one line
  std::string paper;    ///< "Gal et al. 2022, arXiv:2208.01618"
  std::vector<OptionSpec> options;
  std::vector<PresetSpec> presets;  ///< the first one is the default; it may be empty of options
  std::vector<StageSpec> stages;    ///< in order
  std::vector<PhraseRule> phrases;
  SamplerSpec sampler;  ///< how its authors sample
  std::vector<ArgumentSpec> arguments;
};

[[nodiscard]] Json to_json(const MethodSpec& spec);
/// Throws Error (`where`) for a description that is not one.
[[nodiscard]] MethodSpec method_spec_from_json(const Json& json, const std::string& where);

/// Throws Error unless the spec is consistent: names unique, defaults valid, conditions, reads, steps and presets name
/// options that exist, inputs name earlier stages, the phrase rules end with one that always holds.
void check_spec(const MethodSpec& spec);

/// The optimizer options that every stage has, under "<stage>.": learning_rate, adam_beta1, adam_beta2,
/// adam_weight_decay, adam_epsilon, max_grad_norm, train_batch_size, scale_lr, gradient_accumulation_steps,
/// micro_batch_size, lr_scheduler, lr_warmup_steps, lr_num_cycles, lr_power.
struct StageDefaults {
  double learning_rate = 1e-4;
  double max_grad_norm = 0.0;  ///< 0: no clipping
  std::int64_t train_batch_size = 1;
  bool scale_lr = false;
  std::int64_t gradient_accumulation_steps = 1;
  double adam_weight_decay = 1e-2;
  std::string source;  ///< of all these values
};
[[nodiscard]] std::vector<OptionSpec> stage_options(const std::string& stage, const StageDefaults& defaults);
/// The names of those, to be appended to StageSpec::reads.
[[nodiscard]] std::vector<std::string> stage_option_names(const std::string& stage);

/// Where the images of the class come from, for a stage with class_images_when; the planner reads these by name:
/// `class_images` (auto: those that the concept has, else generated; given; generated), `class_prompt` and
/// `num_class_images` of generated ones. All are without effect unless `when` holds.
struct ClassImageDefaults {
  Condition when;
  std::string prompt = "a photo of {}";  ///< `{}` is the class word
  std::int64_t count = 200;
  std::string source;  ///< of these values
};
[[nodiscard]] std::vector<OptionSpec> class_image_options(const ClassImageDefaults& defaults);
/// `class_images` alone, for methods that declare the other two themselves.
[[nodiscard]] OptionSpec class_images_option(const Condition& when);

/// Resolved options: defaults, then a preset ("" : the first), then `chosen` (object), each checked. Throws Error
/// (usage) for unknown names with the nearest known one, bad values, and chosen options that have no effect.
[[nodiscard]] Json resolve_options(const MethodSpec& spec, const std::string& preset, const Json& chosen,
                                   const std::string& where);

/// The same with every fault of the chosen options, by name in their order; for callers that know where each was
/// written.
struct OptionFault {
  std::string option;
  Fault fault;
};
struct ResolvedOptions {
  Json options;  ///< of the presets and of those chosen options that are valid
  std::vector<OptionFault> faults;
};
[[nodiscard]] ResolvedOptions try_resolve_options(const MethodSpec& spec, const std::string& preset, const Json& chosen,
                                                  const std::string& where);

/// Why a declared option changes nothing under these resolved options ("x has no effect unless y = z"); "" when it
/// does.
[[nodiscard]] std::string no_effect_reason(const MethodSpec& spec, const OptionSpec& option, const Json& options);

/// The options that a phrase names in braces, each once, in order of appearance.
[[nodiscard]] std::vector<std::string> phrase_option_names(const PhraseRule& rule);

/// Null when the method has none of this name; the preset "" is the first.
[[nodiscard]] const OptionSpec* find_option(const MethodSpec& spec, std::string_view name);
[[nodiscard]] const PresetSpec* find_preset(const MethodSpec& spec, std::string_view name);
[[nodiscard]] std::vector<std::string> option_names(const MethodSpec& spec);

/// The options that the stage reads under these resolved options, sorted.
[[nodiscard]] std::vector<std::string> stage_reads(const StageSpec& stage, const Json& options);
/// Those of them that decide its results: exactly these enter its key.
[[nodiscard]] std::vector<std::string> stage_key_options(const MethodSpec& spec, const StageSpec& stage,
                                                         const Json& options);
/// Resolved options without those that decide memory alone.
[[nodiscard]] Json deciding_options(const MethodSpec& spec, Json options);

/// Optimizer steps of a stage under resolved options. Throws Error (usage) when negative.
[[nodiscard]] std::int64_t stage_steps(const StageSpec& stage, const Json& options);

}  // namespace atelier
