#include "plugins/textreg/spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::textreg {
namespace {

// Functions: a plugin has no static objects.
Condition with_mask() { return {.option = "mask_identifier_causal_attention", .value = true}; }
Condition with_text_reg() { return {.option = "enable_text_reg", .value = true}; }
Condition with_text_trained() { return {.option = "train_text_encoder", .value = true}; }
Condition with_own_token() { return {.option = "resume_ti_embedding_path", .value = nullptr}; }
Condition with_lora() { return {.option = "just_ti", .value = false}; }

class OptionList {
 public:
  explicit OptionList(std::string source) : source_(std::move(source)) {}

  OptionSpec& add(OptionSpec option) { return options.emplace_back(std::move(option)); }
  OptionSpec& text(const char* name, const char* value, const char* help) {
    return add(text_option(name, value, help, source_));
  }
  OptionSpec& flag(const char* name, bool value, const char* help) {
    return add(flag_option(name, value, help, source_));
  }
  OptionSpec& choice(const char* name, const char* value, std::vector<std::string> choices, const char* help) {
    return add(choice_option(name, value, std::move(choices), help, source_));
  }
  OptionSpec& integer(const char* name, std::int64_t value, std::int64_t low, const char* help) {
    return add(integer_option(name, value, {.low = static_cast<double>(low)}, help, source_));
  }
  OptionSpec& real(const char* name, double value, std::optional<double> high, const char* help) {
    return add(real_option(name, value, {.low = 0.0, .high = high}, help, source_));
  }

  std::vector<OptionSpec> options;

 private:
  std::string source_;
};

void add_token_options(OptionList& list) {
  list.text("placeholder_token", "<krk1>", "the identifier: a word that is new to the vocabulary");
  list.choice("learnable_property", "object", {"object", "style"}, "which prompt lists are drawn from");
  list.flag("init_placeholder_as_class", false,
            "start the identifier from the class word's last token; the identifier alone then stands for the concept")
      .active_when = {{.option = "mask_identifier_causal_attention", .value = false}};
  list.integer("initializer_id", 42170, 0, "row of the token table that the identifier starts from").active_when = {
      {.option = "init_placeholder_as_class", .value = false}};
  list.choice("ti_reg_type", "decay", {"decay", "none"},
              "after each step of ti pull the identifier's norm towards its initializer's");
  list.integer("ti_train_step", 500, 0, "optimizer steps of stage ti");
  list.integer("max_train_steps", 2000, 0, "optimizer steps of ti and ut together");
  auto& file = list.text("resume_ti_embedding_path", "", "take the identifier from this file and leave stage ti out");
  file.type = OptionType::file;
  file.value = nullptr;
  list.flag("just_ti", false, "learn the identifier only: leave stage ut out");
}

void add_mask_options(OptionList& list) {
  list.flag("mask_identifier_causal_attention", true,
            "identifier mask: only the class words behind the identifier may read it, and it reads only itself");
  list.real("mask_identifier_ratio", 0.5, 1.0, "probability of that mask for a text-encoder call").active_when = {
      with_mask()};
}

void add_lora_options(OptionList& list) {
  list.integer("lora_rank", 10, 1, "rank of the low-rank updates");
  list.choice("filter_crossattn_str", "cross", {"cross", "self", "cross+self", "full"},
              "layers of the transformer blocks that get one: keys and values of the attention named, or all");
  list.flag("train_text_encoder", false, "also train low-rank updates of the text encoder's attention in ut");
  list.real("ut.learning_rate_text", 1e-5, std::nullopt, "their learning rate, never scaled").active_when = {
      with_text_trained()};
}

void add_loss_options(OptionList& list) {
  list.flag("enable_text_reg", true, "keep the updates silent on class prompts and, keys only, on edit prompts");
  list.real("text_reg_alpha_weight", 0.01, std::nullopt, "weight of the class term").active_when = {with_text_reg()};
  list.real("text_reg_beta_weight", 0.01, std::nullopt, "weight of the edit term").active_when = {with_text_reg()};
  list.flag("with_prior_preservation", false, "add the noise-prediction loss of class images in ut");
  list.real("prior_loss_weight", 1.0, std::nullopt, "its weight").active_when = {with_prior()};
}

void add_data_options(OptionList& list) {
  list.integer("resolution", 512, 8, "side of the training pictures in pixels");
  list.integer("cache_latents", 0, 0,
               "freeze this many augmented variants of each photo; 0: none (--cached_latents froze 20)");
  list.add(gradient_checkpointing_option("published program"));
}

/// Faults of the published program: off by default.
void add_fault_switches(OptionList& list) {
  list.flag("carry_ti_grads", false, "let the updates' gradients of ti pile up and enter ut's first step")
      .active_when = {with_own_token(), with_lora()};
  list.flag("mask_batch_bug", false, "keep the identifier mask only for the last prompt of a batch that needs it")
      .active_when = {with_mask()};
  list.flag("cast_alphas", false, "round the noise schedule to the latents' type before the square roots");
}

OptionSpec& named(std::vector<OptionSpec>& options, const std::string& name) {
  return *std::ranges::find(options, name, &OptionSpec::name);
}

/// The published program never enters an accumulation context, so its steps only divide the loss and scale rates.
std::vector<OptionSpec> optimizer_options(const std::string& stage, StageDefaults defaults) {
  defaults.gradient_accumulation_steps = 4;
  defaults.source = "published command";
  auto options = stage_options(stage, defaults);
  named(options, stage + ".gradient_accumulation_steps").help =
      "divisor of the loss, and a factor of a scaled learning rate and of the schedule's lengths; every batch is a "
      "step";
  named(options, stage + ".lr_warmup_steps").help += ", times gradient_accumulation_steps";
  return options;
}

std::vector<OptionSpec> all_options() {
  OptionList list("published command");
  add_token_options(list);
  add_mask_options(list);
  add_lora_options(list);
  add_loss_options(list);
  OptionList ours("published program");
  add_data_options(ours);
  add_fault_switches(ours);
  auto options = std::move(list.options);
  const auto append = [&](const std::vector<OptionSpec>& more) {
    options.insert(options.end(), more.begin(), more.end());
  };
  append(ours.options);
  append(class_image_options({.when = with_prior(),
                              .prompt = "a photo of a {}",
                              .source = "the published baselines priorReal and priorGen: 200 images"}));
  append(optimizer_options(kTokenStage, {.learning_rate = 5e-4, .source = {}}));
  append(optimizer_options(kLoRAStage, {.learning_rate = 1e-4, .max_grad_norm = 1.0, .scale_lr = true, .source = {}}));
  return options;
}

std::vector<std::string> reads_of(const std::string& stage, std::vector<std::string> own) {
  std::vector<std::string> reads{"placeholder_token",     "learnable_property", "init_placeholder_as_class",
                                 "initializer_id",        "resolution",         "mask_identifier_causal_attention",
                                 "mask_identifier_ratio", "mask_batch_bug",     "cache_latents",
                                 "carry_ti_grads",        "cast_alphas",        kGradientCheckpointing};
  for (const auto& more : {std::move(own), stage_option_names(stage)}) {
    reads.insert(reads.end(), more.begin(), more.end());
  }
  return reads;
}

StageSpec token_stage() {
  StageSpec stage;
  stage.name = kTokenStage;
  stage.reads = reads_of(stage.name, {"ti_reg_type"});
  // So that another rank, say, does not learn the identifier again.
  stage.reads_when = {{.when = {.option = "carry_ti_grads", .value = true},
                       .options = {"lora_rank", "filter_crossattn_str", "train_text_encoder"}}};
  stage.runs_when = {with_own_token()};
  stage.steps = {.add = {"ti_train_step"}, .subtract = {}};
  declare_schedules(stage);
  stage.lists = {kObjectCaptions, kStyleCaptions};
  return stage;
}

StageSpec lora_stage() {
  StageSpec stage;
  stage.name = kLoRAStage;
  stage.reads =
      reads_of(stage.name, {"lora_rank", "filter_crossattn_str", "train_text_encoder", "ut.learning_rate_text",
                            "enable_text_reg", "text_reg_alpha_weight", "text_reg_beta_weight",
                            "with_prior_preservation", "prior_loss_weight", "resume_ti_embedding_path"});
  stage.inputs = {kTokenStage};
  stage.runs_when = {with_lora()};
  stage.steps = {.add = {"max_train_steps"}, .subtract = {"ti_train_step"}};
  declare_schedules(stage);
  stage.lists = {kObjectCaptions, kObjectClassPrompts, kObjectEditPrompts, kStyleCaptions, kStyleClassPrompts};
  stage.class_images_when = {with_prior()};
  return stage;
}

std::vector<PresetSpec> presets() {
  return {{.name = "readme", .help = "the published command", .options = Json::object()},
          {.name = "formal",
           .help = "the authors' batch launcher, likeliest behind their tables",
           .options = {{"text_reg_beta_weight", 0.1}, {"mask_identifier_ratio", 0.75}}},
          {.name = "official",
           .help = "the published command with the faults of its program",
           .options = {{"carry_ti_grads", true}, {"mask_batch_bug", true}, {"cast_alphas", true}}},
          {.name = "pocket",
           .help = "for the pocket world: few steps, regularisers at a fiftieth of the published weights (by trial)",
           .options = {{"resolution", 64},
                       {"initializer_id", 678},  // "cool", which no caption has
                       {"ti_train_step", 50},
                       {"max_train_steps", 450},
                       {"text_reg_alpha_weight", 2e-4},
                       {"text_reg_beta_weight", 2e-4},
                       {"ti.learning_rate", 5e-3},
                       {"ti.train_batch_size", 4},
                       {"ut.learning_rate", 2e-3},
                       {"ut.scale_lr", false},
                       {"ut.lr_scheduler", "cosine"},
                       {"ut.gradient_accumulation_steps", 1},
                       {"ut.train_batch_size", 4}}}};
}

/// The other modes of the authors' batch launcher, which textReg is compared with.
std::vector<PresetSpec> baselines() {
  const Json none{{"enable_text_reg", false}, {"max_train_steps", 1000}, {"mask_identifier_ratio", 0.75}};
  Json given = none;
  given.update({{"with_prior_preservation", true}, {"class_images", "given"}});
  Json generated = given;
  generated["class_images"] = "generated";
  return {
      {.name = "baseline", .help = "mode 0 of the batch launcher: 500 + 500 steps, no regulariser", .options = none},
      {.name = "prior_real",
       .help = "its mode 1, priorReal: mode 0 with prior preservation on real images of the class",
       .options = given},
      {.name = "prior_gen",
       .help = "its mode 2, priorGen: the same on images that the base model draws",
       .options = generated}};
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "textreg";
  spec.summary = "an identifier that modifies the class word, and cross-attention LoRA kept silent on texts";
  spec.paper =
      "Wang et al. 2024, Prior Preserved Text-to-Image Personalization Without Image Regularization, IEEE TCSVT";
  spec.options = all_options();
  spec.presets = presets();
  for (auto& preset : baselines()) spec.presets.push_back(std::move(preset));
  spec.stages = {token_stage(), lora_stage()};
  spec.phrases = {
      {.when = {{.option = "init_placeholder_as_class", .value = true}}, .text = "{placeholder}", .base = "{class}"},
      {.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  spec.sampler = {
      .scheduler = "euler_ancestral", .steps = 50, .guidance = 5.0, .settings = {{"timestep_spacing", "linspace"}}};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::textreg
