#include "plugins/attndreambooth/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::attndreambooth {
namespace {

constexpr const char* kCommand = "published command";
constexpr const char* kProgram = "published program";
constexpr const char* kOurs = "ours";

// A function: a plugin has no static objects.
Condition with_regularizer() { return {.option = "with_cross_attn_reg", .value = true}; }

std::vector<OptionSpec> token_options() {
  return {
      text_option("placeholder_token", "new_concept_v0",
                  "the new token in front of the class word: a word that is new to the vocabulary", kCommand),
      text_option(
          "initialize_token", nullptr,
          "words whose first tokens' rows the vectors start from; unset: the concept's initializer or class word",
          kCommand),
      integer_option("n_object_embedding", 1, {.low = 1}, "vectors that stand for the placeholder", kCommand),
      text_option("instance_prompt", "a photo of a {}", "caption of every photo; {} becomes {token} {class}", kCommand),
  };
}

std::vector<OptionSpec> loss_options() {
  return joined({
      {flag_option("with_cross_attn_reg", true,
                   "draw the attention maps of the new token and of the word behind it to the same mean and variance",
                   kCommand),
       only_when(
           with_regularizer(),
           choice_option("reg_accumulation", "logical", {"logical", "divided"},
                         "the regulariser of accumulated batches: their sum, as of one large batch, or (divided) the "
                         "published mean",
                         kOurs))},
      prior_options(kProgram),
      {only_when(with_prior(), text_option("class_prompt", "a photo of a {}",
                                           "caption of the class's images; {} becomes the class word", kOurs)),
       gradient_checkpointing_option(kProgram),
       flag_option("offset_noise", false, "add 0.1 of a noise that is one number a channel", kProgram)},
  });
}

std::vector<OptionSpec> data_options() {
  return {
      resolution_option(512, kProgram),
      flag_option("center_crop", false, "cut pictures at their centre instead of at random", kProgram),
      real_option("flip_p", 0.25, {.low = 0.0, .high = 1.0}, "probability that a picture is mirrored", kProgram),
      real_option("rotate_p", 0.75, {.low = 0.0, .high = 1.0},
                  "probability of a turn by up to 45 degrees, with black corners",
                  "published program, without an argument"),
  };
}

/// What one stage of the published command was given.
struct StageOptions {
  std::string name;
  double learning_rate;
  std::int64_t steps;
  double mean_weight, var_weight;
};

std::vector<StageOptions> stages_of_command() {
  return {{kEmbedding, 1e-3, 60, 0.1, 0.0}, {kAttention, 2e-5, 100, 2.0, 5.0}, {kIdentity, 2e-6, 500, 2.0, 5.0}};
}

std::vector<OptionSpec> options_of(const StageOptions& stage) {
  const auto named = [&](const char* leaf) { return stage.name + "." + leaf; };
  return joined(
      {{integer_option(named("max_train_steps"), stage.steps, {.low = 0}, "optimizer steps of the stage", kCommand)},
       only_when(
           with_regularizer(),
           std::vector<OptionSpec>{real_option(named("reg_mean_weight"), stage.mean_weight, {.low = 0.0},
                                               "weight of the squared differences of the maps' means", kCommand),
                                   real_option(named("reg_var_weight"), stage.var_weight, {.low = 0.0},
                                               "weight of the squared differences of the maps' variances", kCommand)}),
       stage_options(stage.name, {.learning_rate = stage.learning_rate, .train_batch_size = 8, .source = kCommand})});
}

/// What decides images of the class before any stage reads them; their keys enter the stages' own.
std::vector<OptionSpec> class_images_options() {
  return {class_images_option(with_prior()),
          only_when(with_prior(), integer_option("num_class_images", 100, {.low = 1},
                                                 "images of the class that are drawn where none are given", kProgram))};
}

std::vector<OptionSpec> all_options() {
  auto all = joined({token_options(), loss_options(), class_images_options(), data_options()});
  for (const auto& stage : stages_of_command()) all = joined({std::move(all), options_of(stage)});
  return all;
}

StageSpec stage_spec(const StageOptions& options, const std::vector<std::string>& inputs) {
  auto reads = names_of(joined({token_options(), loss_options(), data_options()}));
  for (const char* leaf : {"reg_mean_weight", "reg_var_weight"}) reads.push_back(options.name + "." + leaf);
  auto stage = trained_stage(options.name, std::move(reads), options.name + ".max_train_steps");
  stage.inputs = inputs;
  stage.class_images_when = {with_prior()};
  return stage;
}

std::vector<PresetSpec> presets() {
  return {
      {.name = "default", .help = "the published command", .options = Json::object()},
      {.name = "fast",
       .help = "the authors' faster last stage: a higher rate, fewer steps and rows",
       .options = {{"identity.learning_rate", 1e-5},
                   {"identity.max_train_steps", 200},
                   {"identity.train_batch_size", 4}}},
      {.name = "prerelease",
       .help = "the program's release of May 2024: batches of 4 in every stage",
       .options = {{"embedding.train_batch_size", 4},
                   {"attention.train_batch_size", 4},
                   {"identity.train_batch_size", 4}}},
      {.name = "official",
       .help = "the published command with what its program does to accumulated batches",
       .options = {{"reg_accumulation", "divided"}}},
      {.name = "pocket",
       .help =
           "for the pocket world: small pictures that are not turned, few rows, higher rates (chosen on two concepts)",
       .options = {{"resolution", 64},
                   {"rotate_p", 0.0},
                   {"embedding.learning_rate", 1e-2},
                   {"embedding.max_train_steps", 60},
                   {"embedding.train_batch_size", 4},
                   {"attention.learning_rate", 5e-4},
                   {"attention.max_train_steps", 100},
                   {"attention.train_batch_size", 4},
                   {"identity.learning_rate", 1e-4},
                   {"identity.max_train_steps", 200},
                   {"identity.train_batch_size", 4}}},
  };
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = kMethod;
  spec.summary = "a token, then cross-attention, then the whole UNet, with the token's attention kept like its class's";
  spec.paper = "Pang et al. 2024, arXiv:2406.05000";
  spec.options = all_options();
  spec.presets = presets();
  const auto stages = stages_of_command();
  spec.stages = {stage_spec(stages[0], {}), stage_spec(stages[1], {kEmbedding}), stage_spec(stages[2], {kAttention})};
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  // Ends at timestep 0, not at zero noise, as the diffusers release of the published program did.
  spec.sampler = {.scheduler = "dpmpp_2m",
                  .steps = 50,
                  .guidance = 7.5,
                  .settings = {{"timestep_spacing", "linspace"}, {"final_sigmas_type", "sigma_min"}}};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::attndreambooth
