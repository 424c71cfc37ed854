#!/usr/bin/env python3
"""Measures of whole sets of pictures, with transformers, Pillow, numpy and scipy; shares no code with Atelier. The set is cat2's
pictures, the base model's are dog6's and one of cat2's photos, the references cat2's photos. Networks are the small ones of
tests/eval/models and tests/parity: what stands for Inception and LPIPS is the tiny DINO.

    references/sets.json   {"sets": [{"prompt", "scores"}], "against_base": {...}, "against_references": {...}}

FID is that of clean-fid (fid.frechet_distance: scipy.linalg.sqrtm of the product of the covariances); KID is its
kernel_distance with every picture in one subset, and the expectation over all subsets of the smaller side's size.

    python3 tests/eval/make_set_references.py"""

import itertools
import json

import make_protocol_references as ours
import numpy
import reference_clip
import scipy.linalg
import torch
from PIL import Image

HERE, PICTURES = ours.HERE, ours.PICTURES
SETS = {
    "photo": ("cat2/photo", "dog6/photo", "a photo of a cat"),
    "moon": ("cat2/moon", "dog6/moon", "a photo of a cat on the moon"),
}


def files(folder):
    return sorted((PICTURES / folder).iterdir())


def inception_clean(image, side):
    """clean-fid: each channel resized in floats, bicubic, clipped."""
    channels = [Image.fromarray(numpy.array(image)[..., c].astype(numpy.float32)) for c in range(3)]
    wide = [channel.resize((side, channel.height), Image.Resampling.BICUBIC) for channel in channels]
    resized = [numpy.asarray(channel.resize((side, side), Image.Resampling.BICUBIC)) for channel in wide]
    pixels = numpy.stack(resized).clip(0, 255)
    return torch.from_numpy((pixels - 128) / 128)[None].float()


def inception_textreg(image, side):
    wide = image.resize((side, image.height), Image.Resampling.BILINEAR)
    pixels = numpy.array(wide.resize((side, side), Image.Resampling.BILINEAR)).astype(numpy.float32)
    return torch.from_numpy((pixels - 128) / 128).permute(2, 0, 1)[None]


def vectors(encoder, front_end, paths, side=None):
    rows = [encoder.images(front_end(Image.open(path).convert("RGB"), side or encoder.size))[0] for path in paths]
    return torch.stack(rows).double().numpy()


def unit(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def clean_fid(a, b):
    mu1, mu2 = a.mean(axis=0), b.mean(axis=0)
    sigma1, sigma2 = numpy.cov(a, rowvar=False), numpy.cov(b, rowvar=False)
    covmean = scipy.linalg.sqrtm(sigma1.dot(sigma2))
    diff = mu1 - mu2
    return float(diff.dot(diff) + numpy.trace(sigma1) + numpy.trace(sigma2) - 2 * numpy.trace(numpy.real(covmean)))


def kernel_sums(x, y):
    n = x.shape[1]
    return (x @ y.T / n + 1) ** 3


def clean_kid(x, y):
    """clean-fid's kernel_distance for one subset of everything; two sides of m rows."""
    m = x.shape[0]
    within = kernel_sums(x, x) + kernel_sums(y, y)
    t = (within.sum() - numpy.diag(within).sum()) / (m - 1) - kernel_sums(x, y).sum() * 2 / m
    return float(t / m)


def expected_kid(x, y):
    """Mean of clean_kid over every choice of as many rows of the larger side as the smaller has: subsets tend to it."""
    m = min(len(x), len(y))
    small, large = (x, y) if len(x) == m else (y, x)
    return float(numpy.mean([clean_kid(small, large[list(rows)]) for rows in itertools.combinations(range(len(large)), m)]))


def main():
    torch.set_num_threads(1)
    clip = reference_clip.Encoder(HERE / "models/clip_tiny", torch.float32)
    dino, dinov2 = ours.Dino(), ours.Dinov2()
    front = ours.FRONT_ENDS
    photos = files("references/cat2")
    result = {"sets": []}
    own_rows, base_rows = [], []
    for prompt, (own, base, text) in SETS.items():
        mine = files("generated/" + own)
        theirs = (files("generated/" + base) + photos)[: len(mine)]
        words = unit(clip.texts([text]).double().numpy())[0]

        def both(encoder, front_end, side=None):
            return vectors(encoder, front_end, mine, side), vectors(encoder, front_end, theirs, side)

        a, b = (unit(rows) for rows in both(dino, front["dino-orig"]))
        references = unit(vectors(dino, front["dino-orig"], photos))
        scores = {"dino_pres": (a @ references.T).mean(), "dino_pres_change": (a @ references.T).mean() - (b @ references.T).mean()}
        a, b = (unit(rows) for rows in both(dinov2, front["dinov2-hf"]))
        pairs = list(itertools.combinations(range(len(mine)), 2))
        scores["dinov2_paired"] = (a * b).sum(axis=1).mean()
        scores["dinov2_div"] = numpy.mean([1 - a[i] @ a[j] for i, j in pairs])
        a, b = (unit(rows) for rows in both(clip, front["clip-hf"]))
        scores["clip_t_change"] = (a @ words).mean() - (b @ words).mean()
        a, b = both(dino, front["siglip"])  # LPIPS's front end: squashed, in [-1, 1]
        scores["lpips_paired"] = ((a - b) ** 2).sum(axis=1).mean()
        scores["lpips_div"] = numpy.mean([((a[i] - a[j]) ** 2).sum() for i, j in pairs])
        result["sets"].append({"prompt": prompt, "n": len(mine), "scores": {name: float(value) for name, value in scores.items()}})
        a, b = both(dino, inception_clean)
        own_rows.append(a)
        base_rows.append(b)
    own, base = numpy.concatenate(own_rows), numpy.concatenate(base_rows)
    result["against_base"] = {"n": len(own), "kid": clean_kid(base, own), "fid": clean_fid(base, own)}
    textreg = numpy.concatenate([vectors(dino, inception_textreg, files("generated/" + own)) for own, _, _ in SETS.values()])
    references = vectors(dino, inception_clean, photos)
    result["against_references"] = {"n": len(textreg), "others": len(references), "kid": expected_kid(references, textreg)}
    (HERE / "references/sets.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
