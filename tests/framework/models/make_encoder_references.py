"""Tiny transformer encoders with random weights, and what transformers computes with them.

python3 make_encoder_references.py encoder_references writes one safetensors file for each model:
  weight.<name>   the checkpoint as save_pretrained() names it, float32
  in.<name>       inputs
  f32.<name>      outputs computed in float32
  f64.<name>      outputs computed in float64
and the model's config.json in the metadata. Made with torch 2.11 and transformers 5.23.
"""

import copy
import json
import pathlib
import sys
import tempfile

import torch
import torch.nn.functional as F
import transformers as tf
from safetensors.torch import load_file, save_file

TEXT = dict(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, vocab_size=64,
            max_position_embeddings=12, bos_token_id=62)
VISION = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=20, patch_size=4)
DINOV2 = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=20, patch_size=4)


def randomise(model, seed):
    """Weights large enough that every term of the forward pass shows in the output."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        draw = torch.randn(parameter.shape, generator=generator)
        is_gain = "norm" in name and name.endswith("weight") or "lambda" in name
        with torch.no_grad():
            parameter.copy_(1 + 0.3 * draw if is_gain else 0.25 * draw)
    return model.eval()


def save(folder, name, model, inputs, compute):
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        tensors = {"weight." + key: value for key, value in load_file(temporary + "/model.safetensors").items()}
        config = (pathlib.Path(temporary) / "config.json").read_text()
    for key, value in inputs.items():
        tensors["in." + key] = value
    with torch.no_grad():
        for label, dtype in (("f32.", torch.float32), ("f64.", torch.float64)):
            twin = copy.deepcopy(model).to(dtype)
            for key, value in compute(twin, dtype).items():
                tensors[label + key] = value
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, pathlib.Path(folder) / f"{name}.safetensors", {"config": json.dumps(json.loads(config))})


def text_ids():
    """End token 63, then padding with it; the second row is full; the third holds the learned tokens 64 and 65."""
    rows = [[62, 5, 9, 11, 63] + [63] * 7, [62] + list(range(20, 30)) + [63], [62, 64, 7, 65, 3, 63] + [63] * 6]
    return torch.tensor(rows)


def text(folder, name, kind, seed, **options):
    model = randomise(kind(tf.CLIPTextConfig(**TEXT, projection_dim=8, **options)), seed)
    extra = torch.randn(2, TEXT["hidden_size"], generator=torch.Generator().manual_seed(seed + 1))
    ids = text_ids()

    def compute(twin, dtype):
        table = torch.nn.Embedding(TEXT["vocab_size"] + 2, TEXT["hidden_size"], dtype=dtype)
        table.weight.copy_(torch.cat([twin.get_input_embeddings().weight, extra.to(dtype)]))
        twin.set_input_embeddings(table)
        output = twin(input_ids=ids, output_hidden_states=True)
        pooled = output.text_embeds if "text_embeds" in output else output.pooler_output
        states = torch.stack(output.hidden_states)
        return {"last_hidden_state": output.last_hidden_state, "hidden_states": states, "pooled": pooled}

    save(folder, name, model, {"input_ids": ids, "extra_tokens": extra}, compute)


def pixels(size):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))


def clip(folder):
    text_config = dict(TEXT, eos_token_id=63, hidden_act="gelu")
    config = tf.CLIPConfig(text_config=text_config, vision_config=VISION, projection_dim=8)
    model = randomise(tf.CLIPModel(config), 30)
    ids = text_ids()[:2]

    def compute(twin, dtype):
        image = twin.visual_projection(twin.vision_model(pixel_values=pixels(20).to(dtype)).pooler_output)
        words = twin.text_projection(twin.text_model(input_ids=ids).pooler_output)
        return {"image_features": image, "text_features": words}

    save(folder, "clip", model, {"pixel_values": pixels(20), "input_ids": ids}, compute)


def original_dinov2_positions(self, embeddings, height, width):
    """The authors' own interpolation: the scale factor, not the size, goes to the kernel, with 0.1 added."""
    table = self.position_embeddings
    side, dim = round((table.shape[1] - 1) ** 0.5), table.shape[2]
    factors = ((height // self.patch_size + 0.1) / side, (width // self.patch_size + 0.1) / side)
    grid = table[:, 1:].float().reshape(1, side, side, dim).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=factors, mode="bicubic").to(table.dtype)
    return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, dim)], 1)


def vision(folder, name, model, seed, sizes=(20,), **call):
    randomise(model, seed)

    def compute(twin, dtype):
        return {f"features.{s}": twin(pixel_values=pixels(s).to(dtype), **call).last_hidden_state[:, 0] for s in sizes}

    save(folder, name, model, {f"pixel_values.{size}": pixels(size) for size in sizes}, compute)


def dinov2(folder):
    def compute(twin, dtype):
        outputs = {}
        for size in (20, 12):
            output = twin(pixel_values=pixels(size).to(dtype)).last_hidden_state[:, 0]
            outputs[f"features.{size}"] = output
        embeddings = twin.embeddings
        embeddings.interpolate_pos_encoding = original_dinov2_positions.__get__(embeddings)
        outputs["offset_features.12"] = twin(pixel_values=pixels(12).to(dtype)).last_hidden_state[:, 0]
        return outputs

    model = randomise(tf.Dinov2Model(tf.Dinov2Config(**DINOV2)), 50)
    model.embeddings.patch_size = DINOV2["patch_size"]
    save(folder, "dinov2", model, {f"pixel_values.{size}": pixels(size) for size in (20, 12)}, compute)


def siglip(folder):
    model = randomise(tf.SiglipVisionModel(tf.SiglipVisionConfig(**VISION)), 80)
    save(folder, "siglip", model, {"pixel_values.20": pixels(20)},
         lambda twin, dtype: {"features.20": twin(pixel_values=pixels(20).to(dtype)).pooler_output})


def main():
    folder = sys.argv[1]
    text(folder, "clip_text", tf.CLIPTextModel, 10, eos_token_id=2)
    text(folder, "clip_text_projection", tf.CLIPTextModelWithProjection, 20, eos_token_id=63, hidden_act="gelu")
    clip(folder)
    vision_only = tf.CLIPVisionModelWithProjection(tf.CLIPVisionConfig(**VISION, projection_dim=8))
    randomise(vision_only, 40)
    save(folder, "clip_vision", vision_only, {"pixel_values.20": pixels(20)},
         lambda twin, dtype: {"features.20": twin(pixel_values=pixels(20).to(dtype)).image_embeds})
    dinov2(folder)
    vision(folder, "dinov2_swiglu", tf.Dinov2Model(tf.Dinov2Config(**DINOV2, use_swiglu_ffn=True)), 60)
    vision(folder, "dinov2_registers", tf.Dinov2WithRegistersModel(tf.Dinov2WithRegistersConfig(**DINOV2)), 65, (20, 12))
    dino = tf.ViTModel(tf.ViTConfig(**VISION, layer_norm_eps=1e-6))
    dino.config.layer_norm_eps = 1e-12  # what stock ports write beside weights that were trained with 1e-6
    vision(folder, "dino", dino, 70, (20, 12), interpolate_pos_encoding=True)
    siglip(folder)


if __name__ == "__main__":
    main()
