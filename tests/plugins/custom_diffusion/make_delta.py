#!/usr/bin/env python3
"""Writes delta_epoch=000004.ckpt as the authors' program of Custom Diffusion saves it, by the names of CompVis' latent
diffusion, and delta_expected.safetensors with the same weights by diffusers' names. Widths are tiny; blocks and layers
are those of Stable Diffusion 1.x.

Run: python make_delta.py (needs torch and safetensors). Names come from the two layouts' rules, written out here.
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CHANNELS, TEXT = 4, 6


def cross_attentions():
    """(LDM, diffusers) of every transformer, in the order of the LDM model."""
    for number in (1, 2, 4, 5, 7, 8):  # input_blocks: three attending levels of two layers, each with a downsampler
        yield f"input_blocks.{number}.1", f"down_blocks.{(number - 1) // 3}.attentions.{(number - 1) % 3}"
    yield "middle_block.1", "mid_block.attentions.0"
    for number in range(3, 12):  # output_blocks: the first of four levels does not attend
        yield f"output_blocks.{number}.1", f"up_blocks.{number // 3}.attentions.{number % 3}"


def main():
    state, expected = {}, {}
    for place, (ldm, diffusers) in enumerate(cross_attentions()):
        for kind, leaf in enumerate(("to_k", "to_v")):
            numbers = torch.arange(CHANNELS * TEXT, dtype=torch.float32)
            value = torch.sin(numbers * 0.37 + place + 0.5 * kind).reshape(CHANNELS, TEXT)
            tail = f"transformer_blocks.0.attn2.{leaf}.weight"
            state[f"model.diffusion_model.{ldm}.{tail}"] = value
            expected[f"unet.{diffusers}.{tail}"] = value.clone()
    rows = torch.cos(torch.arange(2 * TEXT, dtype=torch.float32)).reshape(2, TEXT)
    state["embed"] = rows
    expected["text_encoder.token.<new1>"], expected["text_encoder.token.<new2>"] = rows[0].clone(), rows[1].clone()
    # What a trainer leaves beside the weights: objects of classes that a reader need not know.
    extra = argparse.Namespace(epoch=4, modifier_token="<new1>+<new2>")
    torch.save({"state_dict": state, "hyper_parameters": extra, "epoch": 4}, HERE / "delta_epoch=000004.ckpt")
    save_file(expected, HERE / "delta_expected.safetensors")


if __name__ == "__main__":
    main()
