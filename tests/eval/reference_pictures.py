"""Seeded pictures: a square and a disc on a gradient, with some noise; every concept has its own colours."""

import numpy
from PIL import Image

SHEET = """schema: eval_sheet/1
concepts:
  - {name: cat2, class: cat, duplicates: [[02.png, 03.png]]}
  - {name: dog6, class: dog, prompts: [photo, moon]}
prompts:
  - {id: photo, text: "A photo of {}", role: reconstruction}
  - {id: moon, text: "A photo of {} on the moon", edit: "on the moon"}
  - {id: oil, text: "An oil painting of {}", edit: "An oil painting", keeps_appearance: false}
"""
SIZES = {"cat2": [(40, 30), (30, 40), (40, 30), (40, 30)], "dog6": [(40, 30), (48, 48), (48, 31)]}  # width, height
PROMPTS = {"cat2": ["photo", "moon", "oil"], "dog6": ["photo", "moon"]}
GENERATED_SIDE, GENERATED_COUNT = 48, 3


def draw(generator, palette, width, height):
    """[height, width, 3] of 0..255."""
    y, x = numpy.mgrid[0:height, 0:width]
    picture = palette[0] + (palette[1] - palette[0]) * ((x + y) / (width + height))[..., None]
    left, top = generator.integers(0, width // 2), generator.integers(0, height // 2)
    picture[top:top + height // 3, left:left + width // 3] = palette[2]
    centre = generator.integers(width // 4, 3 * width // 4), generator.integers(height // 4, 3 * height // 4)
    picture[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (height // 5) ** 2] = palette[3]
    return picture + generator.normal(0, 12, picture.shape)


def save(path, picture, grey=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture.round().clip(0, 255).astype(numpy.uint8))
    (image.convert("L") if grey else image).save(path, optimize=True)


def write_references(folder, generator, palette, sizes):
    """The last of four repeats the third but for noise; the second of three is grey."""
    for index, (width, height) in enumerate(sizes):
        repeats = len(sizes) == 4 and index == 3
        if repeats:
            picture = picture + generator.normal(0, 2, picture.shape)
        else:
            picture = draw(generator, palette, width, height)
        save(folder / f"{index:02}.png", picture, grey=len(sizes) == 3 and index == 1)


def write(folder, sheet):
    for seed, (concept, sizes) in enumerate(SIZES.items()):
        generator = numpy.random.default_rng(seed)
        palette = generator.integers(0, 256, [4, 3]).astype(float)
        write_references(folder / "references" / concept, generator, palette, sizes)
        for prompt in PROMPTS[concept]:
            shifted = palette + generator.normal(0, 40, palette.shape)
            for k in range(GENERATED_COUNT):
                picture = draw(generator, shifted, GENERATED_SIDE, GENERATED_SIDE)
                save(folder / "generated" / concept / prompt / f"{k:03}.png", picture)
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_text(SHEET, encoding="utf-8")
