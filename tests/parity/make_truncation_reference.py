"""The weighted sum of the two LoRAs of artifacts/merge, of every layer cut to rank 2 by the singular values of the whole matrix.

Writes tests/parity/artifacts/merge/expected_rank2.safetensors: of every ninth layer the cut update [out, in], in double precision
rounded to float32, and under "kept" the share of the squared Frobenius norm that is left of all layers. Needs numpy, safetensors.
"""

import json
import pathlib

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).parent / "artifacts/merge"
WEIGHTS = {"subject": 0.8, "style": -0.5}
RANK = 2


def alpha_of(metadata, module):
    """PEFT's patterns name the end of a module's path."""
    patterns = metadata.get("unet.alpha_pattern", {})
    matching = [value for ending, value in patterns.items() if module.endswith("." + ending)]
    return matching[0] if matching else metadata["unet.lora_alpha"]


def deltas(name):
    with safe_open(FOLDER / f"{name}.safetensors", "numpy") as file:
        metadata = json.loads(file.metadata()["lora_adapter_metadata"])
        for key in file.keys():
            if not key.endswith(".lora_A.weight"):
                continue
            module = key.removesuffix(".lora_A.weight")
            down = file.get_tensor(key).astype(numpy.float64)
            up = file.get_tensor(module + ".lora_B.weight").astype(numpy.float64)
            yield module, WEIGHTS[name] * alpha_of(metadata, module) / len(down) * up @ down


if __name__ == "__main__":
    sums = {}
    for name in WEIGHTS:
        for module, delta in deltas(name):
            sums[module] = sums.get(module, 0) + delta
    cut, kept, total = {}, 0.0, 0.0
    for number, (module, delta) in enumerate(sorted(sums.items())):
        left, values, right = numpy.linalg.svd(delta, full_matrices=False)
        if number % 9 == 0:
            cut[module] = ((left[:, :RANK] * values[:RANK]) @ right[:RANK]).astype(numpy.float32)
        kept += (values[:RANK] ** 2).sum()
        total += (values**2).sum()
    cut["kept"] = numpy.array([kept / total])
    save_file(cut, FOLDER / f"expected_rank{RANK}.safetensors", {"format": "pt"})
    print(len(sums), "layers,", kept / total)
