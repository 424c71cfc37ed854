"""Writes draw_references.inc: SHA-256 in Python's hashlib, normals and 64-bit randoms from PyTorch's CPU generator."""
import hashlib
import pathlib

import torch

PLACE = dict(seed=7, stage=1, step=12, slot=3)


def generator(name, index=0):
    text = "atelier.draw/1\n{seed}\n{stage}\n{step}\n{slot}\n".format(**PLACE) + f"{index}\n{name}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return torch.Generator().manual_seed(seed)


def bits(name, index=0):
    # Without bounds random_ keeps the low 63 of the generator's 64 bits.
    whole = torch.empty(1, dtype=torch.int64).random_(generator=generator(name, index))
    return int(whole[0])


lines = []
for name, index in (("flip", 0), ("flip", 1), ("brightness", 0)):
    low63 = bits(name, index)
    lines.append(f'  // The generator\'s 64 bits without the highest: {low63}.')
    lines.append(f'  CHECK((draws.below("{name}", std::int64_t{{1}} << 62, {index})) == {low63 % 2**62});')
noise = torch.randn(4, 4, 4, generator=generator("noise"))
lines.append(f'  CHECK(draws.normal("noise", {{4, 4, 4}})[0][0][0].item<float>() == {noise[0, 0, 0].item():.9g}f);')
lines.append(f'  CHECK(draws.normal("noise", {{4, 4, 4}})[3][3][3].item<float>() == {noise[3, 3, 3].item():.9g}f);')
pathlib.Path(__file__).with_name("draw_references.inc").write_text("\n".join(lines) + "\n")
