#!/usr/bin/env python3
"""Tiny encoders in the layouts of their authors, and their features by open_clip and timm, which kept the original names
(DINO, DINOv2), with the authors' own position interpolation written out.

    python3 tests/eval/reference_layouts.py    writes models/layouts and references/layouts.safetensors

Weights are random, half precision in the files and float32 in the computation. Made with torch 2.11, open_clip 3.3 and
timm 1.0.31."""

import json
import pathlib
import shutil

import open_clip
import timm
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
TOKENIZER = HERE.parent / "parity/models/sd15/tokenizer"
FOLDER = HERE / "models/layouts"
TEXTS = ["a photo of a cat", "A Dog, on the moon!", "x"]


def randomise(model, seed):
    """Weights large enough that every term of the forward pass shows, and exact in half precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            draw = torch.randn(parameter.shape, generator=generator)
            is_gain = ("norm" in name or ".ln_" in name or name.startswith("ln_") or "gamma" in name) and "bias" not in name
            if is_gain:
                value = 1 + 0.3 * draw
            elif parameter.dim() >= 2 and "embed" not in name and "token" not in name:
                value = draw / parameter[0].numel() ** 0.5
            else:
                value = 0.3 * draw
            parameter.copy_(value.half().float())
    return model.eval()


def half(state):
    return {name: value.half().contiguous().clone() if value.is_floating_point() else value
            for name, value in state.items()}


def pixels(size):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(size))


def clip_case(name, seed, results, **config):
    vocabulary = len(transformers.CLIPTokenizer.from_pretrained(TOKENIZER))
    config["text_cfg"] = {"context_length": 77, "vocab_size": vocabulary, **config["text_cfg"]}
    model = randomise(open_clip.model.CLIP(**config), seed)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(TOKENIZER)
    ids = tokenizer(TEXTS, padding="max_length", max_length=77, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        results[name + ".images"] = model.encode_image(pixels(32))
        results[name + ".texts"] = model.encode_text(ids)
    return config, half(model.state_dict())


def copy_tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / file, folder / file)


def openai(results):
    """As `model.state_dict()` of OpenAI's archive: with three integers besides; as safetensors without them."""
    folder = FOLDER / "openai"
    copy_tokenizer(folder / "tokenizer")
    _, state = clip_case("openai", 1, results, embed_dim=16, quick_gelu=True,
                         vision_cfg={"layers": 1, "width": 128, "patch_size": 8, "image_size": 32},
                         text_cfg={"layers": 1, "width": 64, "heads": 1})
    sizes = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77), "vocab_size": torch.tensor(814)}
    torch.save({**state, **sizes}, folder / "model.pt")


def openclip(results):
    """With heads of 16, as ViT-H/14's are of 80, and the exact GELU; as safetensors and, with the text half apart, as a
    pickle."""
    folder = FOLDER / "open_clip"
    copy_tokenizer(folder)
    config, state = clip_case("open_clip", 2, results, embed_dim=12,
                              vision_cfg={"layers": 2, "width": 48, "head_width": 16, "patch_size": 8, "image_size": 32,
                                          "mlp_ratio": 3.0},
                              text_cfg={"layers": 2, "width": 32, "heads": 4})
    text = json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    save_file(state, folder / "open_clip_model.safetensors", {"format": "pt"})
    top = ("visual.", "logit_scale")
    apart = {name if name.startswith(top) else "text." + name: value for name, value in state.items()}
    torch.save(apart, folder / "open_clip_pytorch_model.bin")


def positions_as_hub_code(table, size, offset):
    """The DINOv2 hub code: bicubic in float32, a scale factor with `offset` added to the number of patches."""
    side = round((table.shape[1] - 1) ** 0.5)
    grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if offset:
        grid = F.interpolate(grid, scale_factor=((size + offset) / side,) * 2, mode="bicubic")
    else:
        grid = F.interpolate(grid, size=(size, size), mode="bicubic")
    assert grid.shape[-1] == size
    return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).reshape(1, size * size, -1)], 1)


@torch.no_grad()
def class_token(model, images, offset=None):
    x = model.patch_embed.proj(images).flatten(2).transpose(1, 2)
    size = round(x.shape[1] ** 0.5)
    table = model.pos_embed if x.shape[1] + 1 == model.pos_embed.shape[1] else positions_as_hub_code(
        model.pos_embed, size, offset)
    x = torch.cat([model.cls_token.expand(len(x), -1, -1), x], 1) + table
    for block in model.blocks:
        x = block(x)
    return model.norm(x)[:, 0]


def vit(seed, **options):
    model = timm.models.vision_transformer.VisionTransformer(
        embed_dim=128, num_heads=2, mlp_ratio=2, num_classes=0, **options)
    assert model.norm.eps == 1e-6
    return randomise(model, seed)


def dino(results):
    FOLDER.mkdir(parents=True, exist_ok=True)
    model = vit(3, img_size=32, patch_size=8, depth=1)
    with torch.no_grad():  # small embeddings, so that eps shows
        for name in ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"):
            parameter = dict(model.named_parameters())[name]
            parameter.copy_((0.01 * parameter).half().float())
    torch.save(half(model.state_dict()), FOLDER / "dino.pth")
    results["dino"] = class_token(model, pixels(32))


def dinov2(results):
    """A table of 9 x 9 read at 4 x 4 and at its own size."""
    model = vit(4, img_size=63, patch_size=7, depth=1, init_values=1.0)
    state = half(model.state_dict()) | {"mask_token": torch.zeros(1, 128).half()}
    save_file(state, FOLDER / "dinov2.safetensors")
    results["dinov2.offset"] = class_token(model, pixels(28), 0.1)
    results["dinov2.size"] = class_token(model, pixels(28), 0)
    results["dinov2.own"] = class_token(model, pixels(63))


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    shutil.rmtree(FOLDER, ignore_errors=True)
    results = {f"pixel_values.{size}": pixels(size) for size in (28, 32, 63)}
    for case in (openai, openclip, dino, dinov2):
        case(results)
    save_file({name: value.contiguous().clone() for name, value in results.items()},
              HERE / "references/layouts.safetensors", {"texts": json.dumps(TEXTS)})
    for file in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        file.chmod(0o644)
        print(f"{file.stat().st_size:>8} {file.relative_to(FOLDER)}")
    (HERE / "references/layouts.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
