#!/usr/bin/env python3
"""A CLIP ViT-B/32 with random weights in OpenCLIP's layout, with the published tokenizer, for score_side_by_side.py.

    python3 tests/bench/make_clip.py OUT      605 MB"""

import json
import pathlib
import shutil
import sys

import open_clip
import torch
from safetensors.torch import save_file

TOKENIZER = pathlib.Path(__file__).resolve().parents[1] / "data/clip_tokenizer"


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    save_file({name: value.contiguous().clone() for name, value in model.state_dict().items()},
              out / "open_clip_model.safetensors", {"format": "pt"})
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (out / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, out / name)


if __name__ == "__main__":
    main()
