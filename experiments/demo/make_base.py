"""Makes experiments/demo/base: a Stable Diffusion 1.x of toy size with seeded random weights, in half precision.

The weights are those of tests/parity/models/sd15 (reference_models.py says how they were drawn) with two changes, so that
the text decides over a visible part of the noise prediction and a method has something to learn: values and outputs of the
cross-attention times 6, the last convolution times 2.

    python3 experiments/demo/make_base.py        needs numpy and safetensors
"""

import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "tests" / "parity" / "models" / "sd15"
TARGET = HERE / "base"
TEXT_GAIN, OUT_GAIN = 6.0, 2.0


def gain(name):
    text = "attn2.to_v" in name or "attn2.to_out.0.weight" in name
    if text:
        return TEXT_GAIN
    return OUT_GAIN if name.startswith("conv_out.") else 1.0


def main():
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(SOURCE, TARGET)
    for path in TARGET.rglob("*.safetensors"):
        scaled = path.parent.name == "unet"
        tensors = {name: (value * (gain(name) if scaled else 1.0)).astype(np.float16)
                   for name, value in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})


main()
