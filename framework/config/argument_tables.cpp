#include "framework/config/argument_tables.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "framework/core/error.h"

namespace atelier {
namespace {

using Status = ArgumentSpec::Status;

/// One answer to several arguments, whose names stand with spaces between them.
struct Answer {
  Status status;
  const char* text;
  std::string_view names;
};

constexpr std::array kAnswers = {
    // what a study or the store decides
    Answer{Status::framework, "the study's base model", "pretrained_model_name_or_path"},
    Answer{Status::framework, "the photos of the study's concepts", "instance_data_dir"},
    Answer{Status::framework, "the study's images of the class: given ones, or drawn by the base", "class_data_dir"},
    Answer{Status::framework, "the device's memory decides how many are drawn at once", "sample_batch_size"},
    Answer{Status::framework, "the type that the base is computed in", "prior_generation_precision"},
    Answer{Status::framework,
           "the type that the base is computed in; what learns is float32, and float16 training is refused",
           "mixed_precision"},
    Answer{Status::framework, "the study's seeds", "seed"},
    Answer{Status::framework, "artifacts lie in the store; `atelier export` copies them out", "output_dir"},
    Answer{Status::framework, "the study's checkpoints; snapshots are kept by time and steps", "checkpointing_steps"},
    Answer{Status::framework, "one snapshot of a run is kept", "checkpoints_total_limit"},
    Answer{Status::framework, "an interrupted run continues by itself, bit for bit", "resume_from_checkpoint"},
    Answer{Status::framework, "losses are objects of the store", "logging_dir report_to"},
    Answer{Status::framework, "the study's preview, on draws of its own",
           "validation_prompt num_validation_images validation_steps validation_scheduler"},
    Answer{Status::framework, "the study's preview counts steps", "validation_epochs"},
    Answer{Status::framework, "one process trains one run", "local_rank"},
    // what is refused
    Answer{Status::refused, "the autoencoder is the base model's own", "pretrained_vae_model_name_or_path"},
    Answer{Status::refused, "name a base model on disk, whose digest enters every key", "revision variant"},
    Answer{Status::refused, "the tokenizer is the base model's own", "tokenizer_name"},
    Answer{Status::refused, "prompts have 77 tokens, as every model of this family reads them", "tokenizer_max_length"},
    Answer{Status::refused, "for T5; CLIP reads its padding, in training and after", "text_encoder_use_attention_mask"},
    Answer{Status::refused, "no model of this family has class labels", "class_labels_conditioning"},
    Answer{Status::refused, "no model of this family reads pictures", "validation_images"},
    Answer{Status::refused, "say how many steps: max_train_steps", "num_train_epochs"},
    Answer{Status::refused, "AdamW in float32 is the only optimizer",
           "optimizer use_8bit_adam prodigy_beta3 prodigy_decouple prodigy_use_bias_correction "
           "prodigy_safeguard_warmup"},
    // what changes nothing here
    Answer{Status::without_effect, "pictures are read beside the training", "dataloader_num_workers"},
    Answer{Status::without_effect, "float32 is computed in float32", "allow_tf32"},
    Answer{Status::without_effect, "attention is fused wherever its map is not wanted",
           "enable_xformers_memory_efficient_attention"},
    Answer{Status::without_effect, "gradients lie in one buffer, which is cleared", "set_grads_to_none"},
    Answer{Status::without_effect, "prompts are encoded once while nothing in the encoders learns",
           "pre_compute_text_embeddings"},
    Answer{Status::without_effect, "nothing is ever downloaded", "cache_dir"},
    Answer{Status::without_effect, "nothing is ever uploaded", "push_to_hub hub_token hub_model_id"},
};

bool names(const Answer& answer, std::string_view name) {
  for (std::string_view rest = answer.names; !rest.empty();) {
    const auto end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

ArgumentSpec answered(const std::string& name) {
  const auto* answer = std::ranges::find_if(kAnswers, [&](const Answer& each) { return names(each, name); });
  if (answer != kAnswers.end()) return {"--" + name, answer->status, answer->text};
  throw Error({.where = "arguments of the published program",
               .found = "--" + name,
               .expected = "one that has a common answer",
               .advice = "write the method's own"});
}

}  // namespace

std::vector<ArgumentSpec> same_named(const std::string& prefix, std::initializer_list<const char*> options) {
  std::vector<ArgumentSpec> all;
  for (const std::string option : options) all.push_back({"--" + option, Status::option, prefix + option});
  return all;
}

std::vector<ArgumentSpec> common_arguments(std::initializer_list<const char*> names) {
  std::vector<ArgumentSpec> all;
  for (const auto* name : names) all.push_back(answered(name));
  return all;
}

std::vector<ArgumentSpec> diffusers_arguments(std::initializer_list<const char*> more) {
  auto all = common_arguments({"pretrained_model_name_or_path",
                               "revision",
                               "variant",
                               "tokenizer_name",
                               "output_dir",
                               "seed",
                               "mixed_precision",
                               "num_train_epochs",
                               "checkpointing_steps",
                               "checkpoints_total_limit",
                               "resume_from_checkpoint",
                               "logging_dir",
                               "report_to",
                               "validation_prompt",
                               "num_validation_images",
                               "use_8bit_adam",
                               "dataloader_num_workers",
                               "allow_tf32",
                               "enable_xformers_memory_efficient_attention",
                               "local_rank",
                               "push_to_hub",
                               "hub_token",
                               "hub_model_id"});
  return joined({std::move(all), common_arguments(more)});
}

std::vector<ArgumentSpec> joined(std::vector<std::vector<ArgumentSpec>> lists) {
  std::vector<ArgumentSpec> all;
  for (auto& list : lists) {
    for (auto& argument : list) all.push_back(std::move(argument));
  }
  return all;
}

}  // namespace atelier
