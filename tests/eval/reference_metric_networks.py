#!/usr/bin/env python3
"""Features of the Inception network of FID and distances of LPIPS, by plain PyTorch over torchvision's layers, for
weights that a formula gives: tests/eval/metric_networks.tests.cpp has the same one, so no weights are stored.

    python3 tests/eval/reference_metric_networks.py    writes references/metric_networks.safetensors

Made with torch 2.11 and torchvision 0.26."""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def uniform(name, shape):
    """Values in [-1, 1) by a hash of the name (FNV-1a) and the place."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    x = np.arange(int(np.prod(shape)), dtype=np.uint32) * np.uint32(2654435761) + np.uint32(seed)
    for _ in range(2):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
    x = x ^ (x >> np.uint32(16))
    return torch.from_numpy((x.astype(np.float64) / 2**31 - 1).astype(np.float32)).reshape(shape)


def value(name, shape):
    u = uniform(name, shape)
    if len(shape) == 4 and not name.startswith("lin"):
        return u * np.float32((6 / np.prod(shape[1:])) ** 0.5)
    if name.startswith("lin"):
        return 0.5 + 0.5 * u
    if name.endswith(("running_var", "bn.weight")):
        return 1 + 0.25 * u
    return 0.125 * u


@torch.no_grad()
def fill(module, prefix=""):
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(value(prefix + name, tuple(tensor.shape)))
    return module.eval()


def mean_pool(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def block_a(m, x):
    return torch.cat([m.branch1x1(x), m.branch5x5_2(m.branch5x5_1(x)),
                      m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x))), m.branch_pool(mean_pool(x))], 1)


def block_b(m, x):
    return torch.cat([m.branch3x3(x), m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x))), F.max_pool2d(x, 3, 2)], 1)


def block_c(m, x):
    double = x
    for i in range(1, 6):
        double = getattr(m, f"branch7x7dbl_{i}")(double)
    return torch.cat([m.branch1x1(x), m.branch7x7_3(m.branch7x7_2(m.branch7x7_1(x))), double,
                      m.branch_pool(mean_pool(x))], 1)


def block_d(m, x):
    return torch.cat([m.branch3x3_2(m.branch3x3_1(x)),
                      m.branch7x7x3_4(m.branch7x7x3_3(m.branch7x7x3_2(m.branch7x7x3_1(x)))), F.max_pool2d(x, 3, 2)], 1)


def block_e(m, x, pool):
    y = m.branch3x3_1(x)
    z = m.branch3x3dbl_2(m.branch3x3dbl_1(x))
    return torch.cat([m.branch1x1(x), m.branch3x3_2a(y), m.branch3x3_2b(y), m.branch3x3dbl_3a(z), m.branch3x3dbl_3b(z),
                      m.branch_pool(pool(x))], 1)


@torch.no_grad()
def inception(m, x):
    """The network of 2015-12-05 as pytorch-fid describes it: means without padding, a maximum in Mixed_7c."""
    x = F.max_pool2d(m.Conv2d_2b_3x3(m.Conv2d_2a_3x3(m.Conv2d_1a_3x3(x))), 3, 2)
    x = F.max_pool2d(m.Conv2d_4a_3x3(m.Conv2d_3b_1x1(x)), 3, 2)
    for block in (m.Mixed_5b, m.Mixed_5c, m.Mixed_5d):
        x = block_a(block, x)
    x = block_b(m.Mixed_6a, x)
    for block in (m.Mixed_6b, m.Mixed_6c, m.Mixed_6d, m.Mixed_6e):
        x = block_c(block, x)
    x = block_e(m.Mixed_7b, block_d(m.Mixed_7a, x), mean_pool)
    x = block_e(m.Mixed_7c, x, lambda y: F.max_pool2d(y, 3, 1, 1))
    return F.adaptive_avg_pool2d(x, (1, 1)).flatten(1)


@torch.no_grad()
def lpips(trunk, stops, weights, a, b):
    shift = torch.tensor([-.030, -.088, -.188], dtype=a.dtype)[None, :, None, None]
    scale = torch.tensor([.458, .448, .450], dtype=a.dtype)[None, :, None, None]
    x, y, total = (a - shift) / scale, (b - shift) / scale, 0
    for i, layer in enumerate(trunk):
        x, y = layer(x), layer(y)
        if i in stops:
            unit = [f / (f.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for f in (x, y)]
            weight = weights[stops.index(i)].to(a.dtype)
            total = total + F.conv2d((unit[0] - unit[1]) ** 2, weight).mean((2, 3)).squeeze(1)
        if i == stops[-1]:
            return total


def main():
    torch.set_num_threads(2)
    results = {}
    network = fill(torchvision.models.Inception3(num_classes=1008, aux_logits=False, transform_input=False, init_weights=False))
    pixels = uniform("pixels", (2, 3, 107, 99))
    results["inception.f32"] = inception(network, pixels)
    results["inception.f64"] = inception(network.double(), pixels.double())
    a, b = uniform("a", (2, 3, 67, 80)), uniform("b", (2, 3, 67, 80))
    for name, kind, stops in (("alex", torchvision.models.alexnet, [1, 4, 7, 9, 11]),
                              ("vgg", torchvision.models.vgg16, [3, 8, 15, 22, 29])):
        trunk = fill(kind(weights=None).features, "features.")
        for layer in trunk:
            if isinstance(layer, torch.nn.ReLU):
                layer.inplace = False
        channels = [64, 192, 384, 256, 256] if name == "alex" else [64, 128, 256, 512, 512]
        weights = [value(f"lin{i}.model.1.weight", (1, c, 1, 1)) for i, c in enumerate(channels)]
        results[f"{name}.f32"] = lpips(trunk, stops, weights, a, b)
        if name == "alex":
            results["alex.f64"] = lpips(trunk.double(), stops, weights, a.double(), b.double())
    for name, tensor in results.items():
        print(name, tuple(tensor.shape), f"rms {tensor.double().pow(2).mean().sqrt():.4f}")
    path = HERE / "references/metric_networks.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in results.items()}, path)
    path.chmod(0o644)


if __name__ == "__main__":
    main()
