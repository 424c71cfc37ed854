#include <nlohmann/json.hpp>

#include "plugins/attndreambooth/spec.h"

namespace atelier::attndreambooth {
namespace {

using Status = ArgumentSpec::Status;

/// Text: the option's name; options of a stage are named for the last one, which the program's defaults resemble.
std::vector<ArgumentSpec> options() {
  return {{"--instance_prompt", Status::option, "instance_prompt"},
          {"--class_prompt", Status::option, "class_prompt"},
          {"--with_prior_preservation", Status::option, "with_prior_preservation"},
          {"--prior_loss_weight", Status::option, "prior_loss_weight"},
          {"--resolution", Status::option, "resolution"},
          {"--center_crop", Status::option, "center_crop"},
          {"--train_batch_size", Status::option, "identity.train_batch_size"},
          {"--max_train_steps", Status::option, "identity.max_train_steps"},
          {"--gradient_accumulation_steps", Status::option, "identity.gradient_accumulation_steps"},
          {"--learning_rate", Status::option, "identity.learning_rate"},
          {"--scale_lr", Status::option, "identity.scale_lr"},
          {"--lr_scheduler", Status::option, "identity.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "identity.lr_warmup_steps"},
          {"--lr_num_cycles", Status::option, "identity.lr_num_cycles"},
          {"--lr_power", Status::option, "identity.lr_power"},
          {"--adam_beta1", Status::option, "identity.adam_beta1"},
          {"--adam_beta2", Status::option, "identity.adam_beta2"},
          {"--adam_weight_decay", Status::option, "identity.adam_weight_decay"},
          {"--adam_epsilon", Status::option, "identity.adam_epsilon"},
          {"--max_grad_norm", Status::option, "identity.max_grad_norm"},
          {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
          {"--offset_noise", Status::option, "offset_noise"},
          {"--object_token", Status::option, "placeholder_token"},
          {"--n_object_embedding", Status::option, "n_object_embedding"},
          {"--initialize_token", Status::option, "initialize_token"},
          {"--with_cross_attn_reg", Status::option, "with_cross_attn_reg"},
          {"--reg_mean_weight", Status::option, "identity.reg_mean_weight"},
          {"--reg_var_weight", Status::option, "identity.reg_var_weight"},
          {"--num_class_images", Status::option, "num_class_images"},
          {"--flip_p", Status::option, "flip_p"}};
}

std::vector<ArgumentSpec> framework() {
  return {{"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
          {"--instance_data_dir", Status::framework, "the photos of the study's concepts"},
          {"--class_data_dir", Status::framework, "the study's images of the class"},
          {"--prior_generation_precision", Status::framework, "the study's images of the class"},
          {"--sample_batch_size", Status::framework, "the study's sampling"},
          {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
          {"--seed", Status::framework, "the study's seeds"},
          {"--checkpointing_steps", Status::framework, "the study's checkpoints"},
          {"--save_step", Status::framework, "the study's checkpoints"},
          {"--checkpoints_total_limit", Status::framework, "the store keeps what studies name"},
          {"--resume_from_checkpoint", Status::framework, "an interrupted training goes on by itself, and no other"},
          {"--logging_dir", Status::framework, "losses are objects of the store"},
          {"--report_to", Status::framework, "losses are objects of the store"},
          {"--allow_tf32", Status::framework, "the study's device settings"},
          {"--mixed_precision", Status::framework, "the study's computing type; float16 training is refused there"},
          {"--validation_prompt", Status::framework, "the study's preview, on draws of its own"},
          {"--num_validation_images", Status::framework, "the study's preview"},
          {"--validation_steps", Status::framework, "the study's preview"},
          {"--validation_scheduler", Status::framework, "the study's preview"},
          {"--local_rank", Status::framework, "one process trains one run"},
          {"--train_ti", Status::framework, "stage embedding"},
          {"--train_cross_attn", Status::framework, "stage attention"},
          {"--train_unet", Status::framework, "stage identity"},
          {"--embedding_path", Status::framework, "the artifact of stage embedding, always"},
          {"--load_from_checkpoint", Status::framework, "the artifact of stage attention, always: never the base UNet"},
          {"--only_save_checkpoint", Status::framework, "whole pipelines are written on export alone"},
          {"--prompt", Status::framework, "the prompts of `atelier sample` and of protocols"},
          {"--prompt_file", Status::framework, "the prompts of `atelier sample` and of protocols"},
          {"--learned_embedding_path", Status::framework, "`atelier sample --artifact`"},
          {"--checkpoint_path", Status::framework, "`atelier sample --artifact`"},
          {"--category_token", Status::framework, "the class word of the concept, behind the token"},
          {"--num_inference_steps", Status::framework, "`atelier sample --steps`"},
          {"--num_images_per_prompt", Status::framework, "`atelier sample --images`"},
          {"--infer_batch_size", Status::framework, "`atelier sample --batch`"},
          {"--infer_scheduler", Status::framework, "`atelier sample --scheduler`"},
          {"--save_dir", Status::framework, "`atelier sample --out`"},
          {"--device", Status::framework, "`--device`"}};
}

std::vector<ArgumentSpec> rest() {
  return {{"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
          {"--num_train_epochs", Status::refused, "say max_train_steps"},
          {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--tokenizer_max_length", Status::refused, "prompts have 77 tokens"},
          {"--text_encoder_use_attention_mask", Status::refused, "the text encoder reads padding, as in the command"},
          {"--class_labels_conditioning", Status::refused, "no model of this family has class labels"},
          {"--validation_images", Status::refused, "no model of this family reads pictures"},
          {"--push_to_hub", Status::refused, "nothing is ever uploaded; the published call fails"},
          {"--hub_token", Status::refused, "see --push_to_hub"},
          {"--hub_model_id", Status::refused, "see --push_to_hub"},
          {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
          {"--enable_xformers_memory_efficient_attention", Status::without_effect,
           "attention is fused wherever its map is not wanted"},
          {"--set_grads_to_none", Status::without_effect, "gradients lie in one buffer, which is cleared"},
          {"--skip_save_text_encoder", Status::without_effect, "the published program ignores it"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  std::vector<ArgumentSpec> all;
  for (const auto& part : {options(), framework(), rest()}) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace atelier::attndreambooth
