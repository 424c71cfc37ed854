#!/usr/bin/env python3
"""Writes data/: small pictures of every kind and what Pillow, torchvision and PyTorch make of them.

    python3 make_references.py        (numpy, pillow, torch, torchvision, transformers)

data/manifest.json names the cases; arrays lie one after another in data/expected.bin (little-endian, C order), as
{"dtype": "u1" | "f4", "shape": [...], "offset": bytes}. Pillow 13 may resize vertically first, so resizes here are two
one-axis calls, horizontal first.
"""

import io
import json
import os
import struct
import zlib

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torchvision import transforms as T

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
os.makedirs(FOLDER, exist_ok=True)
BLOB = bytearray()
OFFSETS = {}
CASES = {"decode": [], "resize": [], "front_end": [], "train": [], "rotate": []}


def store(array):
    array = np.ascontiguousarray(array)
    assert array.dtype in (np.uint8, np.float32), array.dtype
    data = array.tobytes()
    if data not in OFFSETS:
        OFFSETS[data] = len(BLOB)
        BLOB.extend(data)
    return {"dtype": "u1" if array.dtype == np.uint8 else "f4", "shape": list(array.shape), "offset": OFFSETS[data]}


def picture(width, height, seed=0, noise=40):
    """Smooth colour waves, an edge, and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = np.stack([np.sin(x / 5 + c) + np.cos(y / (3 + c)) for c in range(3)], axis=-1) * 50 + 128
    waves[(x + y) % 23 < 6] += 70
    return np.clip(waves + rng.normal(0, noise, waves.shape), 0, 255).astype(np.uint8)


# ---- resizing in two one-axis calls -------------------------------------------------------------------------------

pillow_resize = Image.Image.resize


def two_pass(self, size, resample=None, box=None, reducing_gap=None):
    resample = Image.Resampling.BICUBIC if resample is None else resample
    if resample == Image.Resampling.NEAREST or tuple(size) == self.size:
        return pillow_resize(self, size, resample)
    if self.mode == "RGBA":
        return two_pass(self.convert("RGBa"), size, resample).convert("RGBA")
    wide = pillow_resize(self, (size[0], self.height), resample) if size[0] != self.width else self
    return pillow_resize(wide, (size[0], size[1]), resample) if size[1] != self.height else wide


Image.Image.resize = two_pass


# ---- decoding -----------------------------------------------------------------------------------------------------


def write(name, data):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)


def saved(image, fmt, **options):
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def pillow_pixels(data):
    """RGB and, where there is transparency, alpha, upright."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    alpha = "A" in image.getbands() or "transparency" in image.info
    return np.array(image.convert("RGB")), (np.array(image.convert("RGBA"))[..., 3] if alpha else None)


def decode_case(name, data, rgb=None, alpha=None, **extra):
    """Expected pixels come from Pillow unless given."""
    write(name, data)
    if rgb is None:
        rgb, alpha = pillow_pixels(data)
    case = {"file": name, "rgb": store(rgb), **extra}
    if alpha is not None:
        case["alpha"] = store(alpha)
    CASES["decode"].append(case)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(samples, depth, colour_type, interlaced=False, extra=b"", trailing=b""):
    """samples: [H, W, C] integers below 2**depth. Filter type 0 throughout."""
    height, width, _ = samples.shape

    def packed(part):
        rows = b""
        for row in part.reshape(part.shape[0], -1):
            if depth == 16:
                body = row.astype(">u2").tobytes()
            elif depth == 8:
                body = row.astype(np.uint8).tobytes()
            else:
                bits = "".join(format(int(value), f"0{depth}b") for value in row)
                bits += "0" * (-len(bits) % 8)
                body = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
            rows += b"\0" + body
        return rows

    if interlaced:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        raw = b"".join(packed(part) for part in parts if part.size)
    else:
        raw = packed(samples)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + trailing
            + chunk(b"IEND", b""))


def exif_block(orientation, order=">"):
    mark = b"MM" if order == ">" else b"II"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 0)


def decode_jpegs():
    image = Image.fromarray(picture(37, 29, 1))
    for subsampling, label in ((0, "444"), (1, "422"), (2, "420")):
        decode_case(f"jpeg_{label}.jpg", saved(image, "JPEG", quality=85, subsampling=subsampling))
    decode_case("jpeg_progressive.jpg", saved(image, "JPEG", quality=70, progressive=True))
    decode_case("jpeg_grey.jpg", saved(image.convert("L"), "JPEG", quality=85))
    cmyk = Image.fromarray(np.concatenate([picture(19, 11, 2), picture(19, 11, 3)[..., :1]], axis=-1), "CMYK")
    data = saved(cmyk, "JPEG", quality=95)
    decode_case("jpeg_cmyk.jpg", data)
    adobe = data.index(b"Adobe")
    decode_case("jpeg_ycck.jpg", data[: adobe + 11] + b"\2" + data[adobe + 12 :])
    decode_case("jpeg_rgb.jpg", saved(image, "JPEG", quality=85, keep_rgb=True))
    for orientation in range(1, 9):
        small = Image.fromarray(picture(13, 9, 4))
        block = b"Exif\0\0" + exif_block(orientation, "<" if orientation % 2 else ">")
        data = saved(small, "JPEG", quality=90, exif=block)
        stored = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
        decode_case(f"exif_{orientation}.jpg", data, orientation=orientation, stored=store(stored))


def decode_pngs():
    rng = np.random.default_rng(5)
    palette = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    for depth in (1, 2, 4, 8, 16):
        samples = rng.integers(0, 2**depth, (11, 13, 1))
        grey = samples >> 8 if depth == 16 else samples * 255 // (2**depth - 1)
        decode_case(f"png_grey{depth}.png", png(samples, depth, 0), np.repeat(grey, 3, -1).astype(np.uint8))
    for depth in (1, 2, 4, 8):
        colours = palette[: min(2**depth, 16)]
        samples = rng.integers(0, len(colours), (11, 13, 1))
        for interlaced in (False, True):
            extra = chunk(b"PLTE", colours.tobytes())
            decode_case(f"png_palette{depth}{'_interlaced' if interlaced else ''}.png",
                        png(samples, depth, 3, interlaced, extra))
        extra += chunk(b"tRNS", bytes([0, 128]))
        decode_case(f"png_palette{depth}_trns.png", png(samples, depth, 3, extra=extra))
    for depth in (8, 16):
        for colour_type, channels in ((2, 3), (4, 2), (6, 4)):
            samples = rng.integers(0, 2**depth, (9, 10, channels))
            byte = (samples >> (depth - 8)).astype(np.uint8)
            rgb = byte[..., :3] if channels >= 3 else np.repeat(byte[..., :1], 3, -1)
            alpha = byte[..., -1] if channels in (2, 4) else None
            for interlaced in (False, True):
                name = f"png_type{colour_type}_{depth}{'_interlaced' if interlaced else ''}.png"
                decode_case(name, png(samples, depth, colour_type, interlaced), rgb, alpha)
    samples = rng.integers(0, 256, (6, 7, 3))
    samples[2, 3] = samples[5, 0] = key = (10, 20, 30)
    alpha = np.where((samples == key).all(-1), 0, 255).astype(np.uint8)
    extra = chunk(b"tRNS", struct.pack(">HHH", *key))
    decode_case("png_rgb_trns.png", png(samples, 8, 2, extra=extra), samples.astype(np.uint8), alpha)
    data = png(rng.integers(0, 256, (6, 7, 3)), 8, 2, extra=chunk(b"eXIf", exif_block(6)))
    decode_case("png_exif.png", data, orientation=6)
    data = png(rng.integers(0, 256, (6, 7, 4)), 8, 6, trailing=chunk(b"eXIf", exif_block(5, "<")))
    decode_case("png_exif_late.png", data, orientation=5)
    gamma = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sBIT", b"\5\5\5")
    decode_case("png_gamma.png", png(rng.integers(0, 256, (6, 7, 3)), 8, 2, extra=gamma))


def decode_webps():
    image = Image.fromarray(picture(37, 29, 6))
    rgba = Image.fromarray(np.concatenate([picture(21, 18, 7), picture(21, 18, 8)[..., :1]], axis=-1), "RGBA")
    decode_case("webp_lossy.webp", saved(image, "WEBP", quality=80))
    decode_case("webp_lossless.webp", saved(image, "WEBP", lossless=True))
    decode_case("webp_lossy_alpha.webp", saved(rgba, "WEBP", quality=80))
    decode_case("webp_lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True))
    decode_case("webp_exif.webp", saved(image, "WEBP", quality=80, exif=exif_block(8)), orientation=8)
    frames = [Image.fromarray(picture(8, 8, seed)) for seed in (1, 2)]
    write("webp_animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50))


# ---- resizing -----------------------------------------------------------------------------------------------------

PILLOW = {"pil-box": Image.Resampling.BOX, "pil-bilinear": Image.Resampling.BILINEAR, "pil-nearest": Image.Resampling.NEAREST,
          "pil-bicubic": Image.Resampling.BICUBIC, "pil-lanczos": Image.Resampling.LANCZOS}


def pilf_bicubic(array, width, height):
    channels = [Image.fromarray(array[..., c].astype(np.float32), "F").resize((width, height), Image.Resampling.BICUBIC)
                for c in range(3)]
    return np.clip(np.stack([np.asarray(channel) for channel in channels], -1), 0, 255)


def torch_bicubic(array, width, height, antialias):
    tensor = torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)[None].contiguous()
    out = F.interpolate(tensor, size=(height, width), mode="bicubic", align_corners=False, antialias=antialias)
    return out[0].permute(1, 2, 0).numpy()


def resize_cases():
    for index, (source, target) in enumerate((((61, 47), (23, 17)), ((19, 14), (41, 33)), ((40, 31), (40, 12)),
                                              ((33, 40), (50, 40)), ((157, 5), (7, 3)))):
        array = picture(*source, seed=20 + index, noise=60 if index % 2 else 5)
        entry = {"source": store(array), "size": list(target)}
        image = Image.fromarray(array)
        for method, resample in PILLOW.items():
            CASES["resize"].append({**entry, "method": method, "out": store(np.array(image.resize(target, resample)))})
        grey = {"source": store(array[..., :1]), "size": list(target), "method": "pil-bicubic"}
        out = np.array(Image.fromarray(array[..., 0]).resize(target, Image.Resampling.BICUBIC))[..., None]
        CASES["resize"].append({**grey, "out": store(out)})
        for method, out in (("pilf-bicubic", pilf_bicubic(array, *target)),
                            ("t-bicubic", torch_bicubic(array, *target, False)),
                            ("t-bicubic-aa", torch_bicubic(array, *target, True))):
            CASES["resize"].append({**entry, "method": method, "out": store(out.astype(np.float32))})


# ---- front ends ---------------------------------------------------------------------------------------------------

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)
BICUBIC = T.InterpolationMode.BICUBIC


def torchvision_crop(image, shorter, side, constants):
    return T.Compose([T.Resize(shorter, BICUBIC), T.CenterCrop(side), lambda x: x.convert("RGB"), T.ToTensor(),
                      T.Normalize(*constants)])(image)[None].numpy()


def transformers_crop(image, shorter, side, constants):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": shorter}, crop_size={"height": side, "width": side},
                                      image_mean=constants[0], image_std=constants[1])
    return processor(images=image, return_tensors="np")["pixel_values"].astype(np.float32)


def squash(image, side, resample, mean, deviation, scale):
    array = np.asarray(image.resize((side, side), resample)).astype(np.float32) / np.float32(scale)
    return ((array - np.float32(mean)) / np.float32(deviation)).transpose(2, 0, 1)[None]


def inception_clean(image, side):
    return ((pilf_bicubic(np.array(image), side, side).astype(np.float32) - 128) / 128).transpose(2, 0, 1)[None]


def ti_tensor(image, side, size=256, role="reference", antialias=False):
    if role == "reference":
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    x = torch.from_numpy((np.array(image).astype(np.uint8) / 127.5 - 1.0).astype(np.float32)).permute(2, 0, 1)
    y = T.Normalize((-1.0,) * 3, (2.0,) * 3)(x)[None].contiguous()
    short, long = sorted(y.shape[-2:])
    longer = int(side * long / short)
    shape = (longer, side) if y.shape[-2] > y.shape[-1] else (side, longer)
    y = F.interpolate(y, size=shape, mode="bicubic", align_corners=False, antialias=antialias)
    return T.Normalize(*CLIP)(T.CenterCrop(side)(y)).numpy()


RECIPES = {
    "clip-openai": lambda image, s: torchvision_crop(image, s, s, CLIP),
    "clip-hf": lambda image, s: transformers_crop(image, s, s, CLIP),
    "dino-orig": lambda image, s: torchvision_crop(image, round(8 * s / 7), s, IMAGENET),
    "dinov2-hf": lambda image, s: transformers_crop(image, round(8 * s / 7), s, IMAGENET),
    "dino-hf-stock": lambda image, s: squash(image, s, Image.Resampling.BILINEAR, 0.5, 0.5, 255),
    "siglip": lambda image, s: squash(image, s, Image.Resampling.BICUBIC, 0.5, 0.5, 255),
    "inception-clean": inception_clean,
    "inception-textreg": lambda image, s: squash(image, s, Image.Resampling.BILINEAR, 128, 128, 1),
    "ti-tensor": ti_tensor,
}
STRIDE = 397  # of the values stored of a full-size result; 5 of a small one


def front_end_case(recipe, file, values, stride=5, **extra):
    side = values.shape[-1]
    CASES["front_end"].append({"recipe": recipe, "file": file, "side": side, "stride": stride,
                               "out": store(values.reshape(-1)[::stride].astype(np.float32)), **extra})


def front_end_cases():
    write("photo.jpg", saved(Image.fromarray(picture(301, 226, 40, 12)), "JPEG", quality=60))
    write("portrait.jpg", saved(Image.fromarray(picture(103, 61, 41, 12)), "JPEG", quality=80,
                                exif=b"Exif\0\0" + exif_block(6)))
    photo = Image.open(os.path.join(FOLDER, "photo.jpg"))
    portrait = ImageOps.exif_transpose(Image.open(os.path.join(FOLDER, "portrait.jpg")))
    for recipe, run in RECIPES.items():
        side = 299 if recipe.startswith("inception") else 224
        front_end_case(recipe, "photo.jpg", run(photo, side), STRIDE)
        front_end_case(recipe, "portrait.jpg", run(portrait, 28), image_size=28)
    front_end_case("ti-tensor", "photo.jpg", ti_tensor(photo, 224, 512), STRIDE, settings=["size=512"])
    front_end_case("ti-tensor", "photo.jpg", ti_tensor(photo, 224, 256, antialias=True), STRIDE,
                   settings=["resize=t-bicubic-aa"])
    front_end_case("ti-tensor", "photo.jpg", ti_tensor(photo, 224, role="generated"), STRIDE, settings=["role=generated"])
    rgba = np.concatenate([picture(60, 45, 42), picture(60, 45, 43, 120)[..., :1]], axis=-1)
    rgba[:20, :25, 3] = 0
    write("cutout.png", saved(Image.fromarray(rgba, "RGBA"), "PNG"))
    front_end_case("clip-openai", "cutout.png", torchvision_crop(Image.fromarray(rgba, "RGBA"), 28, 28, CLIP), image_size=28,
                   settings=["alpha=official"])
    front_end_case("clip-openai", "cutout.png", torchvision_crop(Image.fromarray(rgba, "RGBA"), 45, 45, CLIP), image_size=45,
                   settings=["alpha=official"])  # no resize: hidden colours show
    rgb = Image.fromarray(rgba[..., :3].copy())
    front_end_case("clip-openai", "cutout.png", torchvision_crop(rgb, 28, 28, CLIP), image_size=28, settings=["alpha=drop"])
    for name, colour in (("black", (0, 0, 0)), ("grey", (0x7B, 0x75, 0x68)), ("#0180ff", (1, 128, 255))):
        ground = Image.new("RGB", rgb.size, colour)
        ground.paste(rgb, mask=Image.fromarray(rgba[..., 3]))
        front_end_case("clip-openai", "cutout.png", torchvision_crop(ground, 28, 28, CLIP), image_size=28,
                       settings=[f"alpha={name}"])
    mask = picture(portrait.width, portrait.height, 44, 80)[..., 0]
    write("portrait_mask.png", saved(Image.fromarray(mask), "PNG"))
    for threshold, fill, colour in ((128, "black", (0, 0, 0)), (90, "white", (255, 255, 255))):
        masked = Image.fromarray(np.where(mask[..., None] >= threshold, np.array(portrait), np.uint8(colour)).astype(np.uint8))
        front_end_case("clip-openai", "portrait.jpg", torchvision_crop(masked, 28, 28, CLIP), image_size=28,
                       mask="portrait_mask.png", settings=[f"threshold={threshold}", f"fill={fill}"])


# ---- training transforms ------------------------------------------------------------------------------------------


def train_case(file, transform, draws, array):
    tensor = T.Normalize([0.5], [0.5])(T.ToTensor()(Image.fromarray(array)))[None].numpy()
    CASES["train"].append({"file": file, "transform": transform, "draws": draws, "side": tensor.shape[-1],
                           "stride": 5, "out": store(tensor.reshape(-1)[::5])})


def train_cases():
    image = Image.open(os.path.join(FOLDER, "photo.jpg"))
    resized = T.Resize(31, T.InterpolationMode.BILINEAR)(image)
    train_case("photo.jpg", {"size": 31}, {}, np.array(T.CenterCrop(31)(resized)))
    train_case("photo.jpg", {"size": 31}, {"flip": True}, np.array(T.CenterCrop(31)(resized))[:, ::-1].copy())
    flipped = np.array(resized)[:, ::-1]
    train_case("photo.jpg", {"size": 31, "flip_before_crop": True}, {"flip": True, "crop": [0, 3]},
               flipped[0:31, 3:34].copy())
    squashed = np.array(image.resize((24, 24), Image.Resampling.BICUBIC))
    train_case("photo.jpg", {"size": 24, "squash": True, "method": "pil-bicubic"}, {}, squashed)
    array = np.array(image)
    side = min(array.shape[:2])
    top, left = (array.shape[0] - side) // 2, (array.shape[1] - side) // 2
    square = Image.fromarray(array[top : top + side, left : left + side])
    train_case("photo.jpg", {"size": 24, "squash": True, "centre_square": True, "method": "pil-lanczos"}, {},
               np.array(square.resize((24, 24), Image.Resampling.LANCZOS)))
    rotated = image.rotate(31.25, Image.Resampling.NEAREST, expand=True, fillcolor=0)
    train_case("photo.jpg", {"size": 24}, {"rotate": 31.25},
               np.array(T.CenterCrop(24)(T.Resize(24, T.InterpolationMode.BILINEAR)(rotated))))
    source = picture(30, 20, 50)
    for degrees in (0, 30, -44.7, 90, 180, 270, 0.3, 123.456):
        out = np.array(Image.fromarray(source).rotate(degrees, Image.Resampling.NEAREST, expand=True, fillcolor=0))
        CASES["rotate"].append({"source": store(source), "degrees": degrees, "out": store(out)})


decode_jpegs()
decode_pngs()
decode_webps()
resize_cases()
front_end_cases()
train_cases()
CASES["made_with"] = {"pillow": PIL.__version__, "torch": torch.__version__.split("+")[0]}
write("expected.bin", bytes(BLOB))
write("manifest.json", json.dumps(CASES, indent=1).encode() + b"\n")
