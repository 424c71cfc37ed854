#!/usr/bin/env python3
"""Masks by transformers' CLIPSeg, for what a study's mask jobs make. The pocket world's segmenter on three pictures, by its own
preprocessor_config.json and by one as CIDAS/clipseg-rd64-refined has it (bilinear, ImageNet's constants, another side than the
model's). Shares no code with Atelier. Pictures are squashed to the side, so that the mask is of all of them; logits are resized to
the picture (torch.nn.functional.interpolate, bilinear), then the sigmoid; grey 0 to 255.

    references/masks/<variant>_<picture>.png
    references/masks/published/preprocessor_config.json
    pictures/cutout/<k>.png          two photos of the pocket world with their masks as transparency

    python3 tests/eval/make_mask_references.py"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json  # noqa: E402
import pathlib  # noqa: E402

import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
SEGMENTER = SOURCE / "experiments/pocket/base/segmenter"
OUT = HERE / "references/masks"
CUTOUT = HERE / "pictures/cutout"
TEXT = "a photo of a cat"
PICTURES = {
    "drawn": SOURCE / "experiments/pocket/concepts/star_cat/02.png",
    "wide": HERE / "pictures/references/cat2/00.png",
    "photo": next(iter(sorted((SOURCE / "experiments/demo/concepts/cat").glob("*.jpg")))),
}
PUBLISHED = {
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "size": {"height": 96, "width": 96},
}


def side_of(size):
    return size["shortest_edge"] if "shortest_edge" in size else size["height"]


def squashed(picture, side, resample):
    """Horizontally, then vertically, whatever Pillow's version prefers."""
    return picture.resize((side, picture.height), resample).resize((side, side), resample)


@torch.no_grad()
def mask(model, ids, picture, config):
    side = side_of(config["size"])
    pixels = numpy.asarray(squashed(picture, side, config["resample"]), dtype=numpy.float32) / 255
    pixels = (pixels - numpy.float32(config["image_mean"])) / numpy.float32(config["image_std"])
    values = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
    logits = model(pixel_values=values, interpolate_pos_encoding=True, **ids).logits
    logits = logits.reshape(1, 1, *logits.shape[-2:])
    whole = torch.nn.functional.interpolate(logits, size=(picture.height, picture.width), mode="bilinear", align_corners=False)
    return (torch.sigmoid(whole)[0, 0] * 255).round().to(torch.uint8).numpy()


def write_cutouts():
    CUTOUT.mkdir(parents=True, exist_ok=True)
    concept = SOURCE / "experiments/pocket/concepts/star_cat"
    for name in ("00.png", "01.png"):
        picture = Image.open(concept / name).convert("RGB")
        picture.putalpha(Image.open(concept / "masks" / name).convert("L"))
        picture.save(CUTOUT / name, optimize=True)


def main():
    write_cutouts()
    model = transformers.CLIPSegForImageSegmentation.from_pretrained(SEGMENTER, dtype=torch.float32).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(SEGMENTER)
    ids = tokenizer([TEXT], padding="max_length", max_length=77, return_tensors="pt")
    own = json.loads((SEGMENTER / "preprocessor_config.json").read_text())
    (OUT / "published").mkdir(parents=True, exist_ok=True)
    (OUT / "published/preprocessor_config.json").write_text(json.dumps(PUBLISHED, indent=2) + "\n")
    for name, path in PICTURES.items():
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        for variant, config in (("own", own), ("published", PUBLISHED)):
            found = mask(model, ids, picture, config)
            Image.fromarray(found).save(OUT / f"{variant}_{name}.png", optimize=True)
            print(variant, name, picture.size, "foreground", (found >= 128).mean().round(4))


if __name__ == "__main__":
    main()
