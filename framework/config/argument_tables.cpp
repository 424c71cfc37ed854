#include "framework/config/argument_tables.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "framework/core/error.h"

namespace atelier {
namespace {

using Status = ArgumentSpec::Status;

struct Answer {
  std::string_view name;
  Status status;
  const char* text;
};

constexpr const char* kPreview = "the study's preview, on draws of its own";
constexpr const char* kOneOptimizer = "AdamW in float32 is the only optimizer";
constexpr const char* kOnDisk = "name a base model on disk, whose digest enters every key";
constexpr const char* kUploads = "nothing is ever uploaded";
constexpr const char* kLosses = "losses are objects of the store";

constexpr std::array kAnswers = {
    // what a study or the store decides
    Answer{"pretrained_model_name_or_path", Status::framework, "the study's base model"},
    Answer{"instance_data_dir", Status::framework, "the photos of the study's concepts"},
    Answer{"class_data_dir", Status::framework, "the study's images of the class: given ones, or drawn by the base"},
    Answer{"sample_batch_size", Status::framework, "the device's memory decides how many are drawn at once"},
    Answer{"prior_generation_precision", Status::framework, "the type that the base is computed in"},
    Answer{"mixed_precision", Status::framework,
           "the type that the base is computed in; what learns is float32, and float16 training is refused"},
    Answer{"seed", Status::framework, "the study's seeds"},
    Answer{"output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
    Answer{"checkpointing_steps", Status::framework, "the study's checkpoints; snapshots are kept by time and steps"},
    Answer{"checkpoints_total_limit", Status::framework, "one snapshot of a run is kept"},
    Answer{"resume_from_checkpoint", Status::framework, "an interrupted run continues by itself, bit for bit"},
    Answer{"logging_dir", Status::framework, kLosses},
    Answer{"report_to", Status::framework, kLosses},
    Answer{"validation_prompt", Status::framework, kPreview},
    Answer{"num_validation_images", Status::framework, kPreview},
    Answer{"validation_steps", Status::framework, kPreview},
    Answer{"validation_epochs", Status::framework, "the study's preview counts steps"},
    Answer{"validation_scheduler", Status::framework, kPreview},
    Answer{"local_rank", Status::framework, "one process trains one run"},
    // what is refused
    Answer{"pretrained_vae_model_name_or_path", Status::refused, "the autoencoder is the base model's own"},
    Answer{"revision", Status::refused, kOnDisk},
    Answer{"variant", Status::refused, kOnDisk},
    Answer{"tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
    Answer{"tokenizer_max_length", Status::refused, "prompts have 77 tokens, as every model of this family reads them"},
    Answer{"text_encoder_use_attention_mask", Status::refused, "for T5; CLIP reads its padding, in training and after"},
    Answer{"class_labels_conditioning", Status::refused, "no model of this family has class labels"},
    Answer{"validation_images", Status::refused, "no model of this family reads pictures"},
    Answer{"num_train_epochs", Status::refused, "say how many steps: max_train_steps"},
    Answer{"optimizer", Status::refused, kOneOptimizer},
    Answer{"use_8bit_adam", Status::refused, kOneOptimizer},
    Answer{"prodigy_beta3", Status::refused, kOneOptimizer},
    Answer{"prodigy_decouple", Status::refused, kOneOptimizer},
    Answer{"prodigy_use_bias_correction", Status::refused, kOneOptimizer},
    Answer{"prodigy_safeguard_warmup", Status::refused, kOneOptimizer},
    // what changes nothing here
    Answer{"dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
    Answer{"allow_tf32", Status::without_effect, "float32 is computed in float32"},
    Answer{"enable_xformers_memory_efficient_attention", Status::without_effect,
           "attention is fused wherever its map is not wanted"},
    Answer{"set_grads_to_none", Status::without_effect, "gradients lie in one buffer, which is cleared"},
    Answer{"pre_compute_text_embeddings", Status::without_effect,
           "prompts are encoded once while nothing in the encoders learns"},
    Answer{"cache_dir", Status::without_effect, "nothing is ever downloaded"},
    Answer{"push_to_hub", Status::without_effect, kUploads},
    Answer{"hub_token", Status::without_effect, kUploads},
    Answer{"hub_model_id", Status::without_effect, kUploads},
};

}  // namespace

std::vector<ArgumentSpec> same_named(const std::string& prefix, std::initializer_list<const char*> options) {
  std::vector<ArgumentSpec> all;
  for (const std::string option : options) all.push_back({"--" + option, Status::option, prefix + option});
  return all;
}

std::vector<ArgumentSpec> common_arguments(std::initializer_list<const char*> names) {
  std::vector<ArgumentSpec> all;
  for (const std::string name : names) {
    const auto* answer = std::ranges::find(kAnswers, std::string_view(name), &Answer::name);
    if (answer == kAnswers.end()) {
      throw Error({.where = "arguments of the published program",
                   .found = "--" + name,
                   .expected = "one that has a common answer",
                   .advice = "write the method's own"});
    }
    all.push_back({"--" + name, answer->status, answer->text});
  }
  return all;
}

std::vector<ArgumentSpec> joined(std::vector<std::vector<ArgumentSpec>> lists) {
  std::vector<ArgumentSpec> all;
  for (auto& list : lists) {
    for (auto& argument : list) all.push_back(std::move(argument));
  }
  return all;
}

}  // namespace atelier
