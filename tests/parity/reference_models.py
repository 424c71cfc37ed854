"""Three tiny pipelines, structurally those of Stable Diffusion 1.5, 2.1 and XL, with random weights.

Channel numbers differ from block to block and from component to component, so that a transposed weight, a wrong head
count or a skipped block cannot go unnoticed."""

import dataclasses
import json

import diffusers
import torch
import transformers
from reference_files import MODELS, randomise, write_config, write_json, write_shards, write_tensors
from reference_tokenizers import BOS, EOS, VOCABULARY_SIZE, write_tokenizer

BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
STABLE = {**BETAS, "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
          "trained_betas": None}
CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"


@dataclasses.dataclass
class Family:
    name: str
    unet: diffusers.UNet2DConditionModel
    vae: diffusers.AutoencoderKL
    text_encoders: list
    tokenizers: list
    scheduler: dict

    @property
    def is_xl(self):
        return len(self.text_encoders) == 2

    @property
    def folder(self):
        return MODELS / self.name


def make_unet(seed, **options):
    common = {"in_channels": 4, "out_channels": 4, "norm_num_groups": 8, "sample_size": 8,
              "mid_block_type": "UNetMidBlock2DCrossAttn"}
    unet = randomise(diffusers.UNet2DConditionModel(**{**common, **options}), seed)
    with torch.no_grad():
        unet.conv_out.weight.mul_(0.5)  # guided sampling multiplies rounding errors: keep it stable over 50 steps
    return unet


def make_vae(seed, channels, scaling_factor, layers):
    blocks = len(channels)
    return randomise(diffusers.AutoencoderKL(
        block_out_channels=channels, down_block_types=("DownEncoderBlock2D",) * blocks, layers_per_block=layers,
        up_block_types=("UpDecoderBlock2D",) * blocks, latent_channels=4, norm_num_groups=4, sample_size=64,
        scaling_factor=scaling_factor), seed)


def make_text_encoder(seed, width, layers, heads, activation, eos, projection=None):
    config = transformers.CLIPTextConfig(
        vocab_size=VOCABULARY_SIZE, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=heads, hidden_act=activation, max_position_embeddings=77, bos_token_id=BOS,
        eos_token_id=eos, pad_token_id=1, projection_dim=projection or 16)
    kind = transformers.CLIPTextModel if projection is None else transformers.CLIPTextModelWithProjection
    return randomise(kind._from_config(config, attn_implementation="sdpa"), seed)


def sd15():
    """Convolutional projections, one head count for all blocks, quick_gelu, the historical eos_token_id of 2."""
    unet = make_unet(
        1500, block_out_channels=(8, 16, 24, 32), layers_per_block=2, attention_head_dim=4, cross_attention_dim=32,
        down_block_types=(CROSS_DOWN,) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + (CROSS_UP,) * 3)
    return Family("sd15", unet, make_vae(1501, (8, 8, 16, 24), 0.18215, 2),
                  [make_text_encoder(1502, 32, 3, 4, "quick_gelu", 2)], [EOS],
                  {"_class_name": "PNDMScheduler", **STABLE})


def sd21():
    """Linear projections, a head count for each block, gelu, a real eos_token_id, padding with "!", v-prediction."""
    unet = make_unet(
        2100, block_out_channels=(16, 24, 32, 40), layers_per_block=1, attention_head_dim=[2, 3, 8, 5],
        cross_attention_dim=40, use_linear_projection=True, upcast_attention=True,
        down_block_types=(CROSS_DOWN,) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + (CROSS_UP,) * 3)
    vae = make_vae(2101, (8, 16, 16, 24), 0.18215, 1)
    text_encoder = make_text_encoder(2102, 40, 4, 5, "gelu", VOCABULARY_SIZE - 1)
    for model in (unet, vae, text_encoder):
        model.to(torch.bfloat16).to(torch.float32)  # the files are bfloat16
    return Family("sd21", unet, vae, [text_encoder], ["!"],
                  {"_class_name": "DDIMScheduler", **STABLE, "prediction_type": "v_prediction"})


def sdxl():
    """Two towers, size conditions, one or two transformer layers a block, no attention in the outer block."""
    unet = make_unet(
        4200, block_out_channels=(16, 24, 32), layers_per_block=2, attention_head_dim=[2, 6, 4],
        transformer_layers_per_block=[1, 1, 2], cross_attention_dim=24 + 40, use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=12, projection_class_embeddings_input_dim=20 + 6 * 12,
        norm_num_groups=4, down_block_types=("DownBlock2D", CROSS_DOWN, CROSS_DOWN),
        up_block_types=(CROSS_UP, CROSS_UP, "UpBlock2D"))
    unet.to(torch.float16).to(torch.float32)  # its files are float16
    return Family("sdxl", unet, make_vae(4201, (8, 8, 16, 16), 0.13025, 1),
                  [make_text_encoder(4202, 24, 2, 3, "quick_gelu", 2),
                   make_text_encoder(4203, 40, 3, 4, "gelu", 2, projection=20)], [EOS, "!"],
                  {"_class_name": "EulerDiscreteScheduler", **STABLE, "prediction_type": "epsilon",
                   "interpolation_type": "linear", "sample_max_value": 1.0, "timestep_spacing": "leading",
                   "use_karras_sigmas": False})


def text_tensors(model, prefix):
    """Published files have a `text_model.` and a position buffer that transformers 5 leaves out of a CLIPTextModel."""
    state = model.state_dict()
    if any(name.startswith("text_model.") for name in state) or not prefix:
        return state
    positions = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    return {**{"text_model." + name: tensor for name, tensor in state.items()}, **positions}


def old_attention_names(state):
    """The names that published Stable Diffusion 1 and 2 autoencoders still have, with 1x1 convolutions as weights."""
    renamed = {}
    for name, tensor in state.items():
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            if f"attentions.0.{new}." in name:
                name = name.replace(new, old)
                tensor = tensor[:, :, None, None] if name.endswith("query.weight") else tensor
                break
        renamed[name] = tensor
    return renamed


def cast(state, dtype):
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def write_family(family):
    folder = family.folder
    dtype = torch.bfloat16 if family.name == "sd21" else torch.float32
    library = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
               "scheduler": ["diffusers", family.scheduler["_class_name"]]}
    write_config(folder / "unet", family.unet.to_json_string())
    if family.is_xl:
        write_shards(folder / "unet", "diffusion_pytorch_model", cast(family.unet.state_dict(), torch.float16), 2)
    else:
        write_tensors(folder / "unet/diffusion_pytorch_model.safetensors", cast(family.unet.state_dict(), dtype))
    write_config(folder / "vae", family.vae.to_json_string())
    vae = family.vae.state_dict()
    write_tensors(folder / "vae/diffusion_pytorch_model.safetensors",
                  cast(old_attention_names(vae) if family.name == "sd15" else vae, dtype))
    for index, (model, pad) in enumerate(zip(family.text_encoders, family.tokenizers)):
        suffix = "" if index == 0 else "_2"
        write_config(folder / f"text_encoder{suffix}", model.config.to_json_string(use_diff=False),
                     architectures=[type(model).__name__])
        write_tensors(folder / f"text_encoder{suffix}/model.safetensors",
                      cast(text_tensors(model, prefix=not family.is_xl), dtype))
        write_tokenizer(folder / f"tokenizer{suffix}", pad)
        library[f"text_encoder{suffix}"] = ["transformers", type(model).__name__]
        library[f"tokenizer{suffix}"] = ["transformers", "CLIPTokenizer"]
    write_json(folder / "scheduler/scheduler_config.json", family.scheduler)
    options = {"force_zeros_for_empty_prompt": True} if family.is_xl else {
        "feature_extractor": [None, None], "safety_checker": [None, None], "requires_safety_checker": False}
    name = "StableDiffusionXLPipeline" if family.is_xl else "StableDiffusionPipeline"
    write_json(folder / "model_index.json", {"_class_name": name, **library, **options})


def families():
    return [sd15(), sd21(), sdxl()]


def scheduler_config(family):
    return {key: value for key, value in json.loads(json.dumps(family.scheduler)).items() if not key.startswith("_")}
