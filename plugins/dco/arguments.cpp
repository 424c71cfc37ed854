#include <nlohmann/json.hpp>

#include "plugins/dco/spec.h"

namespace atelier::dco {
namespace {

using Status = ArgumentSpec::Status;

/// Text: the option's name; of what both stages have, that of `subject`.
std::vector<ArgumentSpec> as_options() {
  return {{"--dcoloss_beta", Status::option, "dcoloss_beta"},
          {"--train_text_encoder_ti", Status::option, "recipe"},
          {"--rank", Status::option, "rank"},
          {"--offset_noise", Status::option, "offset_noise"},
          {"--snr_gamma", Status::option, "snr_gamma"},
          {"--resolution", Status::option, "resolution"},
          {"--center_crop", Status::option, "center_crop"},
          {"--max_train_steps", Status::option, "max_train_steps"},
          {"--text_encoder_lr", Status::option, "text_encoder_lr"},
          {"--adam_weight_decay_text_encoder", Status::option, "adam_weight_decay_text_encoder"},
          {"--learning_rate", Status::option, "subject.learning_rate"},
          {"--scale_lr", Status::option, "subject.scale_lr"},
          {"--train_batch_size", Status::option, "subject.train_batch_size"},
          {"--gradient_accumulation_steps", Status::option, "subject.gradient_accumulation_steps"},
          {"--lr_scheduler", Status::option, "subject.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "subject.lr_warmup_steps"},
          {"--lr_num_cycles", Status::option, "subject.lr_num_cycles"},
          {"--lr_power", Status::option, "subject.lr_power"},
          {"--adam_beta1", Status::option, "subject.adam_beta1"},
          {"--adam_beta2", Status::option, "subject.adam_beta2"},
          {"--adam_weight_decay", Status::option, "subject.adam_weight_decay"},
          {"--adam_epsilon", Status::option, "subject.adam_epsilon"},
          {"--max_grad_norm", Status::option, "subject.max_grad_norm"}};
}

std::vector<ArgumentSpec> of_framework() {
  return {
      {"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
      {"--config_dir", Status::framework, "a concept's folder, with the authors' config.json or captions of its own"},
      {"--config_name", Status::framework, "`entry` in the concept.yaml beside config.json"},
      {"--validation_prompt", Status::framework, "the study's preview, which knows the new token"},
      {"--num_validation_images", Status::framework, "the study's preview"},
      {"--validation_epochs", Status::framework, "the study's preview"},
      {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` writes the authors' files"},
      {"--checkpointing_steps", Status::framework, "the study's checkpoints; snapshots are kept by time and steps"},
      {"--checkpoints_total_limit", Status::framework, "one snapshot, which is removed at the end"},
      {"--resume_from_checkpoint", Status::framework, "an interrupted run continues by itself, bit for bit"},
      {"--seed", Status::framework, "the study's seeds"},
      {"--mixed_precision", Status::framework, "the type that the base is computed in; what learns is float32"},
      {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
      {"--logging_dir", Status::framework, "losses are objects of the store"},
      {"--report_to", Status::framework, "losses are objects of the store"}};
}

std::vector<ArgumentSpec> refusals() {
  return {{"--pretrained_vae_model_name_or_path", Status::refused, "the autoencoder is the base model's own"},
          {"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--variant", Status::refused, "name a base model on disk; its files say what they hold"},
          {"--crops_coords_top_left_h", Status::refused, "SDXL is told a crop at 0, 0, as by the published command"},
          {"--crops_coords_top_left_w", Status::refused, "SDXL is told a crop at 0, 0, as by the published command"},
          {"--with_prior_preservation", Status::refused, "it does not run in the published program"},
          {"--prior_loss_weight", Status::refused, "see --with_prior_preservation"},
          {"--train_text_encoder", Status::refused, "it does not run together with the DCO loss"},
          {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"}};
}

std::vector<ArgumentSpec> without_effect() {
  return {{"--num_train_epochs", Status::without_effect, "the published program ignores it"},
          {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
          {"--allow_tf32", Status::without_effect, "the device decides"},
          {"--local_rank", Status::without_effect, "one process trains one run"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  std::vector<ArgumentSpec> all;
  for (const auto& part : {as_options(), of_framework(), refusals(), without_effect()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace atelier::dco
