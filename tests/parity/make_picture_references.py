#!/usr/bin/env python3
"""Training pictures as Pillow and torchvision make them: references of `atelier probe preprocess --recipe train:METHOD`.

Run: python make_picture_references.py (needs numpy, Pillow, torch, torchvision, safetensors). Writes references/pictures:
a photo, and for each case <case>.draws.json and <case>.safetensors with `pixel_values`.
"""

import json
import pathlib

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from safetensors.torch import save_file
from torchvision import transforms as T
from torchvision.transforms import functional as F

FOLDER = pathlib.Path(__file__).parent / "references" / "pictures"
SIZE = 24


def photo():
    """60 wide, 44 high: smooth, with edges, and no symmetry."""
    x, y = np.meshgrid(np.arange(60), np.arange(44))
    red = 128 + 120 * np.sin(x / 9 + y / 17)
    green = np.where((x // 7 + y // 5) % 2 == 0, 220, 40)
    blue = (x * 4 + y * y) % 256
    return Image.fromarray(np.stack([red, green, blue], -1).clip(0, 255).astype(np.uint8))


def normalised(image):
    return torch.from_numpy(np.array(image)).float().permute(2, 0, 1)[None] / 255 * 2 - 1


def attndreambooth(image, draws):
    turned = image.rotate(draws["rotate"], Image.Resampling.NEAREST, expand=True, fillcolor=0)
    resized = T.Resize(SIZE, T.InterpolationMode.BILINEAR)(turned)
    if draws["flip"]:
        resized = ImageOps.mirror(resized)
    return normalised(F.crop(resized, *draws["crop"], SIZE, SIZE))


def dreambooth(image, draws):
    resized = T.Resize(SIZE, T.InterpolationMode.BILINEAR)(image)
    return normalised(F.crop(resized, *draws["crop"], SIZE, SIZE))


def textual_inversion(image, draws):
    squashed = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return normalised(ImageOps.mirror(squashed) if draws["flip"] else squashed)


def textreg(image, draws):
    cut = T.CenterCrop(SIZE)(T.Resize(SIZE, T.InterpolationMode.BILINEAR)(image))
    steps = [(ImageEnhance.Brightness, draws["brightness"]), (ImageEnhance.Contrast, draws["contrast"])]
    for enhance, factor in steps if draws["brightness_first"] else reversed(steps):
        cut = enhance(cut).enhance(factor)
    return normalised(ImageOps.mirror(cut) if draws["flip"] else cut)


def custom_diffusion(image, draws):
    side, top, left = (draws["scale"][key] for key in ("side", "top", "left"))
    small = (ImageOps.mirror(image) if draws["flip"] else image).resize((side, side), Image.Resampling.BILINEAR)
    canvas = torch.zeros(1, 3, SIZE, SIZE)
    canvas[:, :, top : top + side, left : left + side] = normalised(small)
    return canvas


CASES = {
    "attndreambooth": (attndreambooth, {"rotate": 31.25, "flip": True, "crop": [0, 2]}),
    "dreambooth": (dreambooth, {"crop": [0, 7]}),
    "textual_inversion": (textual_inversion, {"flip": True}),
    "textreg": (textreg, {"flip": True, "brightness": 1.17, "contrast": 0.92, "brightness_first": False}),
    "custom_diffusion": (custom_diffusion, {"flip": True, "scale": {"side": 16, "top": 3, "left": 5}}),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    image = photo()
    image.save(FOLDER / "photo.png")
    for name, (make, draws) in CASES.items():
        (FOLDER / f"{name}.draws.json").write_text(json.dumps(draws) + "\n")
        save_file({"pixel_values": make(image, draws).contiguous()}, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
