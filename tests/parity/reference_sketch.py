"""Sketches: four numbers that stand for a tensor where a case has hundreds of thousands of trained numbers.

Element i of the flattened tensor is added, with a sign, to the sum h(i) >> 30 with h(i) = i * 2654435761 mod 2^32; the
sign is minus where bit 28 of h(i) is 1. Linear, and the norm of a sketch is about that of its tensor, so that a relative
error of a sketch is about that of the tensor. Written in float64: one row for each tensor, in the order of the names.

The comparison in C++ (sketch.h) makes the same of the full tensors that the program writes."""

import numpy as np
import torch

SUMS = 4


def sketch(tensor):
    values = tensor.detach().double().flatten().numpy()
    hashes = (np.arange(len(values), dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
    signs = 1.0 - 2.0 * ((hashes >> 28) & 1)
    return torch.from_numpy(np.bincount(hashes >> 30, weights=values * signs, minlength=SUMS))


def table(tensors):
    """[tensors, 4] of a dict, by name."""
    return torch.stack([sketch(tensors[name]) for name in sorted(tensors)])


def check():
    generator = torch.Generator().manual_seed(0)
    tensor = torch.randn(64, 32, 3, 3, generator=generator, dtype=torch.float64)
    other = torch.randn(64, 32, 3, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(sketch(tensor + 2 * other), sketch(tensor) + 2 * sketch(other))
    norms = [torch.randn(5000, generator=generator, dtype=torch.float64) for _ in range(200)]
    ratio = torch.stack([sketch(x).norm() / x.norm() for x in norms])
    assert 0.9 < ratio.pow(2).mean() < 1.1 and ratio.min() > 0.1, ratio
