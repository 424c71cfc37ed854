#include "framework/formats/known_configs.h"

#include <nlohmann/json.hpp>

namespace atelier {
namespace {

constexpr const char* kUNetSd1 = R"({
  "_class_name": "UNet2DConditionModel", "sample_size": 64, "in_channels": 4, "out_channels": 4,
  "block_out_channels": [320, 640, 1280, 1280],
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "mid_block_type": "UNetMidBlock2DCrossAttn",
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  "layers_per_block": 2, "attention_head_dim": 8, "transformer_layers_per_block": 1, "cross_attention_dim": 768,
  "use_linear_projection": false, "upcast_attention": false, "addition_embed_type": null,
  "norm_num_groups": 32, "norm_eps": 1e-05, "act_fn": "silu", "flip_sin_to_cos": true, "freq_shift": 0,
  "downsample_padding": 1, "mid_block_scale_factor": 1, "center_input_sample": false})";

constexpr const char* kUNetSd2 = R"({
  "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true})";

constexpr const char* kUNetSdxl = R"({
  "sample_size": 128, "block_out_channels": [320, 640, 1280],
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10], "cross_attention_dim": 2048,
  "use_linear_projection": true, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
  "projection_class_embeddings_input_dim": 2816})";

constexpr const char* kVae = R"({
  "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": 4, "sample_size": 512,
  "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
  "layers_per_block": 2, "norm_num_groups": 32, "act_fn": "silu", "scaling_factor": 0.18215, "force_upcast": true})";

constexpr const char* kClipL = R"({
  "architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "hidden_size": 768, "num_hidden_layers": 12,
  "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "quick_gelu", "projection_dim": 768,
  "vocab_size": 49408, "max_position_embeddings": 77, "layer_norm_eps": 1e-05, "bos_token_id": 0, "eos_token_id": 2,
  "pad_token_id": 1})";

constexpr const char* kOpenClipH = R"({
  "hidden_size": 1024, "num_hidden_layers": 23, "num_attention_heads": 16, "intermediate_size": 4096,
  "hidden_act": "gelu", "projection_dim": 512})";

constexpr const char* kOpenClipBigG = R"({
  "architectures": ["CLIPTextModelWithProjection"], "hidden_size": 1280, "num_hidden_layers": 32,
  "num_attention_heads": 20, "intermediate_size": 5120, "hidden_act": "gelu", "projection_dim": 1280})";

constexpr const char* kScheduler = R"({
  "_class_name": "PNDMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
  "beta_schedule": "scaled_linear", "clip_sample": false, "set_alpha_to_one": false, "steps_offset": 1,
  "skip_prk_steps": true, "trained_betas": null, "prediction_type": "epsilon"})";

constexpr const char* kSchedulerSdxl = R"({
  "_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading", "interpolation_type": "linear",
  "use_karras_sigmas": false, "sample_max_value": 1.0})";

constexpr const char* kModelIndex = R"({
  "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "PNDMScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
  "safety_checker": [null, null], "feature_extractor": [null, null], "requires_safety_checker": false})";

constexpr const char* kModelIndexSdxl = R"({
  "_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": true,
  "scheduler": ["diffusers", "EulerDiscreteScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
  "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]})";

// What the classes take for keys that a config.json leaves out.
constexpr const char* kUNetDefaults = R"({
  "sample_size": null, "in_channels": 4, "out_channels": 4, "block_out_channels": [320, 640, 1280, 1280],
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "mid_block_type": "UNetMidBlock2DCrossAttn",
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
  "layers_per_block": 2, "attention_head_dim": 8, "transformer_layers_per_block": 1, "cross_attention_dim": 1280,
  "use_linear_projection": false, "upcast_attention": false, "addition_embed_type": null,
  "norm_num_groups": 32, "norm_eps": 1e-05, "act_fn": "silu", "flip_sin_to_cos": true, "freq_shift": 0,
  "downsample_padding": 1, "mid_block_scale_factor": 1, "center_input_sample": false})";

constexpr const char* kVaeDefaults = R"({
  "in_channels": 3, "out_channels": 3, "latent_channels": 4, "sample_size": 32, "block_out_channels": [64],
  "down_block_types": ["DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D"], "layers_per_block": 1,
  "norm_num_groups": 32, "act_fn": "silu", "scaling_factor": 0.18215, "force_upcast": true, "use_quant_conv": true,
  "use_post_quant_conv": true, "shift_factor": null, "latents_mean": null, "latents_std": null})";

constexpr const char* kTextDefaults = R"({
  "hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048,
  "hidden_act": "quick_gelu", "projection_dim": 512, "vocab_size": 49408, "max_position_embeddings": 77,
  "layer_norm_eps": 1e-05, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 1})";

Json merged(const char* base, const char* changes) {
  auto json = Json::parse(base);
  json.update(Json::parse(changes));
  return json;
}

Json sd2(bool epsilon) {
  Json configs = {{"model_index", Json::parse(kModelIndex)},
                  {"unet", merged(kUNetSd1, kUNetSd2)},
                  {"vae", Json::parse(kVae)},
                  {"text_encoder", merged(kClipL, kOpenClipH)},
                  {"scheduler", Json::parse(kScheduler)}};
  if (epsilon) return configs;
  configs["unet"]["sample_size"] = 96;
  configs["unet"]["upcast_attention"] = true;
  configs["vae"]["sample_size"] = 768;
  configs["scheduler"]["prediction_type"] = "v_prediction";
  return configs;
}

Json sdxl() {
  Json configs = {{"model_index", Json::parse(kModelIndexSdxl)},
                  {"unet", merged(kUNetSd1, kUNetSdxl)},
                  {"vae", Json::parse(kVae)},
                  {"text_encoder", Json::parse(kClipL)},
                  {"text_encoder_2", merged(kClipL, kOpenClipBigG)},
                  {"scheduler", merged(kScheduler, kSchedulerSdxl)}};
  configs["vae"]["scaling_factor"] = 0.13025;
  configs["vae"]["sample_size"] = 1024;
  return configs;
}

}  // namespace

std::string_view family_name(Family family) {
  switch (family) {
    case Family::sd1:
      return "SD 1.x";
    case Family::sd2:
      return "SD 2.x";
    case Family::sdxl:
      return "SDXL";
    case Family::other:
      break;
  }
  return "other";
}

Json known_configs(Family family, bool epsilon) {
  switch (family) {
    case Family::sd1:
      return {{"model_index", Json::parse(kModelIndex)},
              {"unet", Json::parse(kUNetSd1)},
              {"vae", Json::parse(kVae)},
              {"text_encoder", Json::parse(kClipL)},
              {"scheduler", Json::parse(kScheduler)}};
    case Family::sd2:
      return sd2(epsilon);
    case Family::sdxl:
      return sdxl();
    case Family::other:
      break;
  }
  return Json::object();
}

Json with_class_defaults(std::string_view component, Json config) {
  const char* defaults = component == "unet"                     ? kUNetDefaults
                         : component == "vae"                    ? kVaeDefaults
                         : component.starts_with("text_encoder") ? kTextDefaults
                                                                 : "{}";
  // The config of a whole CLIP has the text tower's values one level down.
  const auto nested = config.find("text_config");
  const bool is_whole = component.starts_with("text_encoder") && nested != config.end() && nested->is_object();
  auto result = Json::parse(defaults);
  result.update(config);
  if (is_whole) result.update(*nested);
  return result;
}

}  // namespace atelier
