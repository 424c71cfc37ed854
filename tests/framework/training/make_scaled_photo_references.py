#!/usr/bin/env python3
"""Writes scaled_photo_references.inc: what the published training script of Custom Diffusion makes of a photo that is
scaled, with Pillow and numpy. Shares no code with Atelier.

    python3 tests/framework/training/make_scaled_photo_references.py"""

import pathlib

import numpy as np
from PIL import Image

SIZE, MASK = 24, 6


def photo():
    """Height 20, width 31."""
    y, x, c = np.meshgrid(np.arange(20), np.arange(31), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 37 + y * 91 + c * 53 + x * y) % 256).astype(np.uint8))


def picture(side, top, left, flip):
    image = photo()
    if flip:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    values = np.asarray(image.resize((side, side), Image.BILINEAR)).astype(np.float64) / 127.5 - 1.0
    factor = SIZE // MASK
    if side > SIZE:
        return values[top:top + SIZE, left:left + SIZE], np.ones((MASK, MASK))
    canvas, mask = np.zeros((SIZE, SIZE, 3)), np.zeros((MASK, MASK))
    canvas[top:top + side, left:left + side] = values
    mask[top // factor + 1:(top + side) // factor - 1, left // factor + 1:(left + side) // factor - 1] = 1
    return canvas, mask


def line(side, top, left, flip):
    values, mask = picture(side, top, left, flip)
    planar = values.transpose(2, 0, 1).reshape(-1)
    moment = (planar * np.arange(1, planar.size + 1) / planar.size).sum()
    bits = "".join(str(int(bit)) for bit in mask.reshape(-1))
    return f'{{{side}, {top}, {left}, {str(flip).lower()}, {planar.sum():.9g}, {moment:.9g}, "{bits}"}},\n'


def main():
    cases = [(8, 0, 0, False), (13, 7, 2, True), (13, 11, 11, False), (24, 0, 0, False), (30, 5, 1, False),
             (33, 0, 9, True)]
    text = "// make_scaled_photo_references.py: side, top, left, flip, sum, moment, mask\n"
    path = pathlib.Path(__file__).with_name("scaled_photo_references.inc")
    path.write_text(text + "".join(line(*case) for case in cases))


if __name__ == "__main__":
    main()
