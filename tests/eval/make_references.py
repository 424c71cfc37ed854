#!/usr/bin/env python3
"""Makes a tiny CLIP, pictures and the scores that `atelier eval` must find for them, with transformers, Pillow and
PyTorch; shares no code with Atelier.

    models/clip_tiny         a CLIP with random weights and the tokenizer of the tiny Stable Diffusion 1.5
    pictures                 references and generated pictures of two concepts
    references/sheet.yaml    the sheet
    references/expected.json the scores: encoders in float32, cosines in double

    python3 tests/eval/make_references.py [--check]

Needs torch, transformers, Pillow 12.3, PyYAML and tests/parity/models; no network. --check computes the scores again
from the written files, in float32 and in float64, and compares."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402

import reference_clip  # noqa: E402
import reference_pictures  # noqa: E402
import reference_ti  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import yaml  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODEL, PICTURES, REFERENCES = HERE / "models/clip_tiny", HERE / "pictures", HERE / "references"


def leaves(value, path=()):
    if isinstance(value, dict):
        return [leaf for key in value for leaf in leaves(value[key], (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [(path, value)]


def difference(first, second):
    """Largest difference of two numbers in the same place; all else has to be equal."""
    largest, left, right = 0.0, leaves(first), leaves(second)
    assert [path for path, _ in left] == [path for path, _ in right]
    for (path, a), (_, b) in zip(left, right):
        if isinstance(a, float):
            largest = max(largest, abs(a - b))
        else:
            assert a == b, path
    return largest


def compute(dtype):
    sheet = yaml.safe_load((REFERENCES / "sheet.yaml").read_text(encoding="utf-8"))
    clip = reference_clip.Encoder(MODEL, dtype)
    return {protocol: reference_ti.score(protocol, clip, PICTURES, sheet) for protocol in ("ti_code", "ti_paper")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only verify what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if not arguments.check:
        reference_clip.write(MODEL)
        reference_pictures.write(PICTURES, REFERENCES / "sheet.yaml")
    scores = compute(torch.float32)
    expected = REFERENCES / "expected.json"
    if not arguments.check:
        expected.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    print(f"float32 against what is written: {difference(scores, json.loads(expected.read_text())):.1e}")
    print(f"float32 against float64: {difference(scores, compute(torch.float64)):.1e}")


if __name__ == "__main__":
    main()
