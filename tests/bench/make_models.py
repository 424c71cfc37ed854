#!/usr/bin/env python3
"""Makes a pipeline folder with the shapes of Stable Diffusion 1.5, 2.1 or XL and random weights, for timing.

    python3 tests/bench/make_models.py sd15 --out sd15-random --dtype bf16

Tensors are drawn and written one by one, so that memory never holds more than the largest of them. The results are
deterministic for a seed. Needs torch, diffusers, transformers, open_clip_torch (for CLIP's merge list), safetensors."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import gzip  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402
import zlib  # noqa: E402

import diffusers  # noqa: E402
import open_clip  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

DTYPES = {"bf16": (torch.bfloat16, "BF16"), "fp16": (torch.float16, "F16"), "fp32": (torch.float32, "F32")}
START, END = "<|startoftext|>", "<|endoftext|>"
SCHEDULER = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1}
CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
SD_BLOCKS = {"block_out_channels": (320, 640, 1280, 1280), "down_block_types": (CROSS_DOWN,) * 3 + ("DownBlock2D",),
             "up_block_types": ("UpBlock2D",) + (CROSS_UP,) * 3, "sample_size": 64}
UNETS = {
    "sd15": {**SD_BLOCKS, "attention_head_dim": 8, "cross_attention_dim": 768},
    "sd21": {**SD_BLOCKS, "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
             "use_linear_projection": True},
    "sdxl": {"block_out_channels": (320, 640, 1280), "down_block_types": ("DownBlock2D", CROSS_DOWN, CROSS_DOWN),
             "up_block_types": (CROSS_UP, CROSS_UP, "UpBlock2D"), "sample_size": 128, "cross_attention_dim": 2048,
             "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
             "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
             "projection_class_embeddings_input_dim": 2816}}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
          "hidden_act": "quick_gelu"}
OPEN_CLIP_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
               "hidden_act": "gelu"}
OPEN_CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
               "hidden_act": "gelu", "projection_dim": 1280}
TEXT_ENCODERS = {"sd15": [CLIP_L], "sd21": [OPEN_CLIP_H], "sdxl": [CLIP_L, OPEN_CLIP_G]}
SCHEDULERS = {"sd15": "PNDMScheduler", "sd21": "PNDMScheduler", "sdxl": "EulerDiscreteScheduler"}


def draw(name, shape, seed):
    """Norms near the identity, weights that keep activations near 1; each tensor has a stream of its own."""
    generator = torch.Generator().manual_seed(seed * 2**32 + zlib.crc32(name.encode()))
    value = torch.randn(shape, generator=generator)
    if "norm" in name:
        return 1 + 0.02 * value if name.endswith("weight") else 0.02 * value
    if len(shape) < 2:
        return 0.02 * value
    if "embedding" in name and "linear" not in name:
        return 0.02 * value
    return value / value[0].numel() ** 0.5


def write_weights(path, shapes, dtype, seed):
    torch_dtype, name_in_file = DTYPES[dtype]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(shapes):
        size = shapes[name].numel() * torch_dtype.itemsize
        header[name] = {"dtype": name_in_file, "shape": list(shapes[name]), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(shapes):
            value = draw(name, shapes[name], seed).to(torch_dtype)
            file.write(value.reshape(-1).view(torch.uint8).numpy().data)
    print(f"{path.stat().st_size / 1e6:9.1f} MB  {path}")


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def shapes_of(make):
    with torch.device("meta"):
        model = make()
    return model, {name: tensor.shape for name, tensor in model.state_dict().items()}


def write_unet(family, folder, dtype, seed):
    unet, shapes = shapes_of(lambda: diffusers.UNet2DConditionModel(**UNETS[family]))
    write_json(folder / "unet/config.json", json.loads(unet.to_json_string()))
    write_weights(folder / "unet/diffusion_pytorch_model.safetensors", shapes, dtype, seed)


def write_vae(family, folder, dtype, seed):
    scale = 0.13025 if family == "sdxl" else 0.18215
    vae, shapes = shapes_of(lambda: diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=2,
        up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=scale, sample_size=8 * UNETS[family]["sample_size"]))
    write_json(folder / "vae/config.json", json.loads(vae.to_json_string()))
    write_weights(folder / "vae/diffusion_pytorch_model.safetensors", shapes, dtype, seed)


def write_text_encoders(family, folder, dtype, seed):
    for index, options in enumerate(TEXT_ENCODERS[family]):
        kind = transformers.CLIPTextModelWithProjection if "projection_dim" in options else transformers.CLIPTextModel
        config = transformers.CLIPTextConfig(**options, bos_token_id=49406, eos_token_id=2)
        _, shapes = shapes_of(lambda kind=kind, config=config: kind(config))
        if kind is transformers.CLIPTextModel:  # transformers 5 leaves the prefix of published files out
            shapes = {"text_model." + name.removeprefix("text_model."): shape for name, shape in shapes.items()}
        component = "text_encoder" if index == 0 else "text_encoder_2"
        write_json(folder / component / "config.json", {**config.to_dict(), "architectures": [kind.__name__]})
        write_weights(folder / component / "model.safetensors", shapes, dtype, seed + index)


def write_tokenizer(folder, pad):
    source = pathlib.Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.open(source, "rt", encoding="utf-8").read().split("\n")[1:49152 - 256 - 2 + 1]
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(byte) for byte in plain] + [chr(256 + index) for index in range(256 - len(plain))]
    words = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate([*words, START, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "pad_token": pad, "unk_token": END}
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", {**special, "do_lower_case": True, "model_max_length": 77,
                                                  "tokenizer_class": "CLIPTokenizer"})


def write_index(family, folder):
    xl = family == "sdxl"
    index = {"_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline",
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
             "scheduler": ["diffusers", SCHEDULERS[family]], "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"]}
    if xl:
        index |= {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
                  "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": True}
    write_json(folder / "model_index.json", index)
    spacing = {"timestep_spacing": "leading"} if xl else {}
    write_json(folder / "scheduler/scheduler_config.json",
               {"_class_name": SCHEDULERS[family], **SCHEDULER, **spacing})
    write_tokenizer(folder / "tokenizer", "!" if family == "sd21" else END)
    if xl:
        write_tokenizer(folder / "tokenizer_2", "!")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=list(UNETS))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--dtype", choices=list(DTYPES), default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for write in (write_unet, write_vae, write_text_encoders):
        write(arguments.family, arguments.out, arguments.dtype, arguments.seed)
    write_index(arguments.family, arguments.out)


if __name__ == "__main__":
    main()
