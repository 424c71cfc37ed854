"""Tiny image encoders of every kind, and their features."""

import math

import torch
import torch.nn.functional as F
import transformers
from reference_components import in_dtypes, normal, write_case
from reference_files import ABSENT, MODELS, REFERENCES, randomise, write_config, write_tensors

FOLDER = REFERENCES / "image_encoders"


def vision(kind, config, seed):
    return randomise(kind._from_config(config, attn_implementation="sdpa"), seed)


def write_encoder(name, model, size, features, prefix="", **config_changes):
    folder = MODELS / "image_encoders" / name
    write_config(folder, model.config.to_json_string(use_diff=False), architectures=[type(model).__name__],
                 **config_changes)
    write_tensors(folder / "model.safetensors", {prefix + key: value for key, value in model.state_dict().items()})
    generator = torch.Generator().manual_seed(73)
    models = in_dtypes(model)
    write_case(FOLDER, name, {"pixel_values": normal(generator, 2, 3, size, size)},
               lambda dtype, inputs: {"features": features(models[dtype], inputs["pixel_values"].to(dtype))})


def image_embeds(model, pixels):
    return model(pixel_values=pixels).image_embeds


def first_token(model, pixels):
    return model(pixel_values=pixels).last_hidden_state[:, 0]


def clip_vision_config(activation):
    return transformers.CLIPVisionConfig(
        hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
        projection_dim=24, hidden_act=activation)


def write_clip():
    for name, activation, seed in (("clip_quick_gelu", "quick_gelu", 1), ("clip_gelu", "gelu", 2)):
        model = vision(transformers.CLIPVisionModelWithProjection, clip_vision_config(activation), seed)
        write_encoder(name, model, 32, image_embeds)
    text = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "bos_token_id": 62, "eos_token_id": 2, "projection_dim": 24}
    config = transformers.CLIPConfig(text_config=text, vision_config=clip_vision_config("quick_gelu").to_dict(),
                                     projection_dim=24)
    model = vision(transformers.CLIPModel, config, 3)
    write_encoder("clip_full", model, 32, lambda m, pixels: m.get_image_features(pixel_values=pixels).pooler_output)


def write_dino():
    """The converted configuration says 1e-12; the features are those of the original 1e-6. The embeddings are small, so
    that the difference shows in float32 too."""
    config = transformers.ViTConfig(hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                                    image_size=32, patch_size=8, layer_norm_eps=1e-6)
    model = vision(transformers.ViTModel, config, 4)
    with torch.no_grad():
        for parameter in model.embeddings.parameters():
            parameter.mul_(0.01)
    write_encoder("dino", model, 32, first_token, layer_norm_eps=1e-12)


def interpolate_as_hub_code(module, offset):
    """The original code's interpolation: float32, bicubic, a scale factor with 0.1 added to the number of patches."""
    def interpolate(embeddings, height, width):
        table = module.position_embeddings
        side = math.isqrt(table.shape[1] - 1)
        patches = height // module.config.patch_size
        if patches == side:
            return table
        grid = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
        scale = float(patches + offset) / side
        grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic", antialias=False)
        assert grid.shape[-1] == patches
        rows = grid.permute(0, 2, 3, 1).reshape(1, patches * patches, -1).to(table.dtype)
        return torch.cat([table[:, :1], rows], dim=1)
    return interpolate


def dinov2_features(model, pixels):
    model.embeddings.interpolate_pos_encoding = interpolate_as_hub_code(model.embeddings, 0.1)
    return first_token(model, pixels)


def write_dinov2():
    """Position tables of 9x9 read at 4x4 and at their own size."""
    common = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 63, "patch_size": 7,
              "mlp_ratio": 3}
    model = vision(transformers.Dinov2Model, transformers.Dinov2Config(**common), 5)
    write_encoder("dinov2", model, 28, dinov2_features)
    write_case(FOLDER, "dinov2_own_size", {"pixel_values": normal(torch.Generator().manual_seed(74), 1, 3, 63, 63)},
               lambda dtype, inputs: {"features": dinov2_features(in_dtypes(model)[dtype],
                                                                  inputs["pixel_values"].to(dtype))})
    model = vision(transformers.Dinov2Model, transformers.Dinov2Config(**common, use_swiglu_ffn=True), 6)
    write_encoder("dinov2_swiglu", model, 28, dinov2_features)
    config = transformers.Dinov2WithRegistersConfig(**common, num_register_tokens=4)
    model = vision(transformers.Dinov2WithRegistersModel, config, 7)
    write_encoder("dinov2_registers", model, 28, first_token)


def write_siglip():
    options = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4,
               "image_size": 32, "patch_size": 8}
    model = vision(transformers.SiglipVisionModel, transformers.SiglipVisionConfig(**options), 8)
    pooled = lambda m, pixels: m(pixel_values=pixels).pooler_output  # noqa: E731
    write_encoder("siglip_vision", model, 32, pooled, prefix="vision_model.")
    text = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 16, "bos_token_id": 62, "eos_token_id": 63,
            "projection_size": 32}
    model = vision(transformers.SiglipModel, transformers.SiglipConfig(text_config=text, vision_config=options), 9)
    write_encoder("siglip_full", model, 32,
                  lambda m, pixels: m.get_image_features(pixel_values=pixels).pooler_output, dtype=ABSENT)


def write_references():
    write_clip()
    write_dino()
    write_dinov2()
    write_siglip()
