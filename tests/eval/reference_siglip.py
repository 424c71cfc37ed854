#!/usr/bin/env python3
"""A tiny SigLIP with the vocabulary of tests/framework/text/siglip/rules, and its features of pictures and texts by
transformers.

    python3 tests/eval/reference_siglip.py    writes models/siglip_tiny and references/siglip.safetensors
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "parity"))

from reference_files import randomise, write_config, write_tensors  # noqa: E402

TOKENIZER = HERE.parent / "framework/text/siglip/rules"
MODEL = HERE / "models/siglip_tiny"
TEXTS = ["a cat on the moon", "A photo of a Dog, sitting in front of the Eiffel tower!", "caf\u00e9 \ufb02ower", "zzz", ""]


def write_model():
    tokenizer = transformers.SiglipTokenizer.from_pretrained(TOKENIZER)
    text = {"vocab_size": tokenizer.vocab_size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 64, "projection_size": 24, "bos_token_id": 1,
            "eos_token_id": 1, "pad_token_id": 1}
    vision = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
              "image_size": 32, "patch_size": 8}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    model = randomise(transformers.SiglipModel._from_config(config), 41)
    write_config(MODEL, model.config.to_json_string(use_diff=False), architectures=["SiglipModel"])
    write_tensors(MODEL / "model.safetensors", model.state_dict())
    for file in sorted(TOKENIZER.iterdir()):
        shutil.copyfile(file, MODEL / file.name)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    write_model()
    model = transformers.SiglipModel.from_pretrained(MODEL, torch_dtype=torch.float32).eval()
    tokenizer = transformers.SiglipTokenizer.from_pretrained(MODEL)
    ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=64, return_tensors="pt")["input_ids"]
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    tensors = {"input_ids": ids, "pixel_values": pixels}
    for name, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        model = model.to(dtype)
        tensors[name + ".texts"] = model.get_text_features(input_ids=ids).pooler_output
        tensors[name + ".images"] = model.get_image_features(pixel_values=pixels.to(dtype)).pooler_output
    save_file({key: value.contiguous() for key, value in tensors.items()}, HERE / "references/siglip.safetensors",
              {"texts": json.dumps(TEXTS)})


if __name__ == "__main__":
    main()
