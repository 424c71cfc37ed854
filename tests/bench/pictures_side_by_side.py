#!/usr/bin/env python3
"""Decoding and resizing beside Pillow: the same files, the same number of threads, alternating, equal pixels.

    cmake --preset release -DATELIER_BENCHMARKS=ON && cmake --build build/release --target picture_timing
    python3 tests/bench/pictures_side_by_side.py --program build/release/bin/picture_timing --threads 2

Makes PNG files of 512 pixels, as pictures are sampled, and JPEG files of 1024 x 768, as photos come; both programs make
them 224 pixels by the bicubic filter of Pillow. Needs Pillow and numpy."""

import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import PIL
from PIL import Image


def make(folder, kind, count):
    """Smooth colours with edges and some grain: what photos and samples compress like."""
    rng = np.random.default_rng(5)
    size = (512, 512) if kind == "png" else (1024, 768)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(size, Image.BICUBIC)
        pixels = np.asarray(coarse).astype(np.int16)
        y, x = np.mgrid[:size[1], :size[0]]
        pixels[(x - 300) ** 2 + (y - 250) ** 2 < 150 ** 2] //= 2
        pixels += rng.normal(0, 4, pixels.shape).astype(np.int16)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i:03}.{kind}", quality=92)


def resized_sum(path):
    with Image.open(path) as image:
        return int(np.asarray(image.convert("RGB").resize((224, 224), Image.BICUBIC)).sum(dtype=np.int64))


def pillow(folder, threads, repeats):
    files = sorted(folder.iterdir())
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            total = sum(pool.map(resized_sum, files))
            seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "sum": total}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=48)
    arguments = parser.parse_args()
    print(f"Pillow {PIL.__version__}, {arguments.threads} threads, {arguments.pictures} files")
    for kind in ("png", "jpg"):
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            make(folder, kind, arguments.pictures)
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                words = [arguments.program, folder, arguments.threads, arguments.repeats + 1]
                mine = json.loads(subprocess.run([str(word) for word in words], check=True, capture_output=True).stdout)
                other = pillow(folder, arguments.threads, arguments.repeats + 1)
                assert mine["sum"] == other["sum"], (kind, mine["sum"], other["sum"])
                ours += mine["seconds"][1:]
                theirs += other["seconds"][1:]
            per = arguments.pictures
            print(f"{kind}: Atelier {per / statistics.median(ours):.0f} pictures/s (best {per / min(ours):.0f}), Pillow "
                  f"{per / statistics.median(theirs):.0f} (best {per / min(theirs):.0f}), ratio of medians "
                  f"{statistics.median(theirs) / statistics.median(ours):.2f}")


if __name__ == "__main__":
    main()
