#!/usr/bin/env python3
"""Scoring pictures beside a plain open_clip script: the same files, network and threads, alternating, each in a fresh process.

    python3 tests/bench/scoring_side_by_side.py --atelier build/release/bin/atelier --threads 2 --pictures 64 --rounds 3

A CLIP ViT-B/32 with random weights in OpenCLIP's layout; PNG pictures of 512 pixels. `atelier eval --protocol textreg` and the
script compute CLIP-I against the photos and CLIP-T; their means must agree. Each side is timed on two numbers of pictures: the
difference is what pictures cost, the rest is the start. Needs open_clip_torch, Pillow and numpy."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import pictures_side_by_side

HERE = pathlib.Path(__file__).resolve().parent
NETWORK = "ViT-B-32-quickgelu"
SHEET = """schema: eval_sheet/1
concepts: [{name: cat, class: cat}]
prompts: [{id: moon, text: "a photo of a {} on the moon"}]
"""
PLAIN = '''
import json, pathlib, sys
import open_clip, torch
from PIL import Image
folder, generated, threads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
model, _, preprocess = open_clip.create_model_and_transforms("NETWORK", pretrained=str(folder / "clip/open_clip_model.safetensors"))
model.eval()

def vectors(paths):
    rows = []
    with torch.no_grad():
        for first in range(0, len(paths), 8):
            batch = torch.stack([preprocess(Image.open(path)) for path in paths[first:first + 8]])
            rows.append(torch.nn.functional.normalize(model.encode_image(batch), dim=-1))
    return torch.cat(rows)

pictures = vectors(sorted((generated / "cat/moon").iterdir()))
photos = vectors(sorted((folder / "references/cat").iterdir()))
with torch.no_grad():
    text = model.encode_text(open_clip.get_tokenizer("NETWORK")(["a photo of a cat on the moon"]))
text = torch.nn.functional.normalize(text, dim=-1)
print(json.dumps({"clip_i": (pictures @ photos.T).mean().item(), "clip_t": (pictures @ text.T).mean().item()}))
'''.replace("NETWORK", NETWORK)


def make_network(folder):
    import open_clip
    import safetensors.torch
    import torch
    torch.manual_seed(3)
    model = open_clip.create_model(NETWORK)
    folder.mkdir()
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config(NETWORK), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    for file in (HERE.parent / "data/clip_tokenizer").iterdir():
        shutil.copy(file, folder)


def make_pictures(folder, count):
    for place, number in (("references/cat", 4), ("generated/cat/moon", count), ("few/cat/moon", max(count // 4, 1))):
        (folder / place).mkdir(parents=True)
        pictures_side_by_side.make(folder / place, "png", number)
    (folder / "sheet.yaml").write_text(SHEET)


def ours(program, folder, generated, threads):
    out = folder / "scores.json"
    words = [program, "eval", "--protocol", "textreg", "--generated", folder / generated, "--references", folder / "references",
             "--prompts", folder / "sheet.yaml", "--encoder", f"clip={folder / 'clip'}", "--out", out]
    seconds = timed(words, threads)
    method = json.loads(out.read_text())["method"]
    return seconds, {name: method[name]["mean"] for name in ("clip_i", "clip_t")}


def theirs(folder, generated, threads):
    script = folder / "plain.py"
    script.write_text(PLAIN)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, script, folder, folder / generated, str(threads)], check=True, capture_output=True,
                          text=True, env=environment(threads))
    return time.perf_counter() - start, json.loads(done.stdout.strip().splitlines()[-1])


def environment(threads):
    return os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}


def timed(words, threads):
    start = time.perf_counter()
    subprocess.run([str(word) for word in words], check=True, capture_output=True, env=environment(threads))
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atelier", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        make_network(folder / "clip")
        make_pictures(folder, arguments.pictures)
        runs = {(side, generated): [] for side in ("Atelier", "open_clip") for generated in ("generated", "few")}
        for _ in range(arguments.rounds):
            for generated in ("generated", "few"):
                mine, scores = ours(arguments.atelier, folder, generated, arguments.threads)
                other, expected = theirs(folder, generated, arguments.threads)
                for name, value in expected.items():
                    assert abs(scores[name] - value) < 1e-4, (name, scores[name], value)
                runs["Atelier", generated].append(mine)
                runs["open_clip", generated].append(other)
    more = arguments.pictures - max(arguments.pictures // 4, 1)
    rates = {}
    for side in ("Atelier", "open_clip"):
        whole, few = (statistics.median(runs[side, generated]) for generated in ("generated", "few"))
        rates[side] = more / (whole - few)
        print(f"{side}: {rates[side]:.1f} pictures/s; {arguments.pictures} pictures in {whole:.2f} s with the start "
              f"(best {min(runs[side, 'generated']):.2f})")
    print(f"ratio {rates['Atelier'] / rates['open_clip']:.2f}")


if __name__ == "__main__":
    main()
