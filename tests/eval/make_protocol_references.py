#!/usr/bin/env python3
"""Scores of pictures by the protocols beside Textual Inversion's, with transformers, Pillow and PyTorch; shares no code
with Atelier. Uses the pictures and the CLIP that make_references.py wrote, and encoders of tests/parity.

    pictures/masks                   an ellipse for every picture; none of cat2's last oil painting is foreground
    references/protocol_sheet.yaml   the sheet, with edit phrases and texts to score
    references/siglip_texts.safetensors  vectors for --text-features
    references/protocols.json        {protocol: {"images": [...], "sets": [{"text"}]}}

    python3 tests/eval/make_protocol_references.py"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json  # noqa: E402
import pathlib  # noqa: E402

import numpy  # noqa: E402
import reference_clip  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
import yaml  # noqa: E402
from PIL import Image  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PICTURES, REFERENCES = HERE / "pictures", HERE / "references"
ENCODERS = HERE.parent / "parity/models/image_encoders"
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHEET = """schema: eval_sheet/1
concepts:
  - {name: cat2, class: cat, duplicates: [[02.png, 03.png]]}
  - {name: dog6, class: dog, prompts: [photo, moon]}
prompts:
  - {id: photo, text: "A photo of {}", role: reconstruction, edit: "A photo", score_text: "photo of a {}"}
  - {id: moon, text: "A photo of {} on the moon", edit: "on the moon", score_text: "a {}  on the moon "}
  - {id: oil, text: "An oil painting of {}", edit: "An oil painting", score_text: "oil painting", keeps_appearance: false}
"""
NOTHING = "generated/cat2/oil/002.png"


def write_masks():
    for file in sorted(PICTURES.glob("generated/*/*/*.png")) + sorted(PICTURES.glob("references/*/*.png")):
        name = file.relative_to(PICTURES)
        width, height = Image.open(file).size
        y, x = numpy.mgrid[0:height, 0:width]
        inside = ((x - width / 2) / (width / 3)) ** 2 + ((y - height / 2) / (height / 2.5)) ** 2 < 1
        mask = numpy.where(inside, 200, 90).astype(numpy.uint8)  # the threshold is 128
        target = PICTURES / "masks" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask * (0 if str(name) == NOTHING else 1)).save(target, optimize=True)


def resize(image, width, height):
    """Horizontally, then vertically, whatever Pillow's version prefers."""
    wide = image.resize((width, image.height), Image.Resampling.BICUBIC)
    return wide.resize((width, height), Image.Resampling.BICUBIC)


def cropped(image, shortest, side, crop):
    width, height = image.size
    if width <= height:
        image = resize(image, shortest, int(shortest * height / width))
    else:
        image = resize(image, int(shortest * width / height), shortest)
    left, top = crop(image.width - side), crop(image.height - side)
    return image.crop((left, top, left + side, top + side))


def torchvision_crop(rest):
    return round(rest / 2)  # half to even


def processor_crop(rest):
    return rest // 2


def normal(image, mean, std):
    values = torch.from_numpy(numpy.array(image)).float().permute(2, 0, 1)[None] / 255
    return (values - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


FRONT_ENDS = {
    "clip-hf": lambda image, side: normal(cropped(image, side, side, processor_crop), CLIP_MEAN, CLIP_STD),
    "clip-openai": lambda image, side: normal(cropped(image, side, side, torchvision_crop), CLIP_MEAN, CLIP_STD),
    "dino-orig": lambda image, side: normal(cropped(image, round(8 * side / 7), side, torchvision_crop),
                                            IMAGENET_MEAN, IMAGENET_STD),
    "dinov2-hf": lambda image, side: normal(cropped(image, 256, 224, processor_crop), IMAGENET_MEAN, IMAGENET_STD),
    "siglip": lambda image, side: normal(resize(image, side, side), (0.5,) * 3, (0.5,) * 3),
}


class Dino:
    def __init__(self):
        self.model = transformers.ViTModel.from_pretrained(ENCODERS / "dino", add_pooling_layer=False, layer_norm_eps=1e-6)
        self.model.eval()
        self.size = self.model.config.image_size

    @torch.no_grad()
    def images(self, pixels):
        return self.model(pixels).last_hidden_state[:, 0]


class Dinov2:
    size = 224

    def __init__(self):
        self.model = transformers.Dinov2Model.from_pretrained(ENCODERS / "dinov2").eval()

    @torch.no_grad()
    def images(self, pixels):
        return self.model(pixels).last_hidden_state[:, 0]


class Siglip:
    def __init__(self):
        self.model = transformers.SiglipModel.from_pretrained(ENCODERS / "siglip_full").eval()
        self.size = self.model.config.vision_config.image_size

    @torch.no_grad()
    def images(self, pixels):
        return self.model.get_image_features(pixel_values=pixels).pooler_output

    def texts(self, texts):
        known = json.loads(safetensors.safe_open(REFERENCES / "siglip_texts.safetensors", "pt").metadata()["texts"])
        features = safetensors.torch.load_file(REFERENCES / "siglip_texts.safetensors")["features"]
        return torch.stack([features[known.index(text)] for text in texts])


def unit(features):
    return F.normalize(features.double(), dim=-1)


def opened(file, masked):
    image = Image.open(file).convert("RGB")
    if not masked:
        return image
    mask = numpy.array(Image.open(PICTURES / "masks" / file.relative_to(PICTURES)))
    return Image.fromarray(numpy.where((mask >= 128)[..., None], numpy.array(image), 0).astype(numpy.uint8))


def share(file):
    return float((numpy.array(Image.open(PICTURES / "masks" / file.relative_to(PICTURES))) >= 128).mean())


#           text rule, masked, text scale, [(metric, encoder, front end, kind)]
PROTOCOLS = {
    "dreambooth": ("class", False, None, [("clip_i", "clip", "clip-hf", "image"), ("clip_t", "clip", "clip-hf", "text"),
                                          ("dino_i", "dino", "dino-orig", "image")]),
    "textreg": ("class", False, None, [("clip_i", "clip", "clip-hf", "image"), ("clip_t", "clip", "clip-hf", "text")]),
    "cc101": ("verbatim", False, 2.5, [("clip_i", "clip", "clip-openai", "image"),
                                       ("clip_t", "clip", "clip-openai", "text"),
                                       ("dino_i", "dino", "dino-orig", "image")]),
    "catversion": ("edit", False, None, [("clip_i", "clip", "clip-openai", "image"),
                                         ("clip_t", "clip", "clip-openai", "text")]),
    "catversion_masked": ("edit", True, None, [("clip_i", "clip", "clip-openai", "foreground"),
                                               ("clip_i_full", "clip", "clip-openai", "image"),
                                               ("clip_t", "clip", "clip-openai", "text")]),
    "core_masked": ("class", True, None, [("clip_i", "clip", "clip-hf", "foreground"),
                                          ("clip_t", "clip", "clip-hf", "text"),
                                          ("dino_i", "dino", "dino-orig", "foreground")]),
    "dco": ("class", False, None, [("dinov2_i", "dinov2", "dinov2-hf", "image"),
                                   ("siglip_t", "siglip", "siglip", "text")]),
}


def text_of(prompt, rule, word):
    source = {"class": "text", "edit": "edit", "verbatim": "score_text"}[rule]
    return " ".join(prompt[source].replace("{}", word).split())


def score(protocol, encoders, sheet):
    rule, masked, scale, metrics = PROTOCOLS[protocol]
    images, sets = [], []
    for subject in sheet["concepts"]:
        references = sorted((PICTURES / "references" / subject["name"]).iterdir())
        for prompt in sheet["prompts"]:
            if prompt["id"] not in subject.get("prompts", [prompt["id"]]):
                continue
            text = text_of(prompt, rule, subject["class"])
            sets.append({"concept": subject["name"], "prompt": prompt["id"], "text": text})
            for k, file in enumerate(sorted((PICTURES / "generated" / subject["name"] / prompt["id"]).iterdir())):
                row = {"concept": subject["name"], "prompt": prompt["id"], "k": k, "status": "ok", "scores": {}}
                if masked:
                    row["foreground"] = share(file)
                    row["status"] = "ok" if row["foreground"] > 0 else "no_foreground"
                for metric, role, front_end, kind in metrics:
                    encoder = encoders[role]

                    def vector(path, foreground):
                        pixels = FRONT_ENDS[front_end](opened(path, foreground), encoder.size)
                        return unit(encoder.images(pixels))[0]

                    if kind == "foreground" and row["status"] != "ok":
                        row["scores"][metric] = None
                    elif kind == "text":
                        cosine = (vector(file, False) @ unit(encoder.texts([text]))[0]).item()
                        row["scores"][metric] = cosine if scale is None else scale * max(0.0, cosine)
                    else:
                        mine = vector(file, kind == "foreground")
                        row["scores"][metric] = sum((mine @ vector(each, kind == "foreground")).item()
                                                    for each in references) / len(references)
                images.append(row)
    return {"images": images, "sets": sets}


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    write_masks()
    (REFERENCES / "protocol_sheet.yaml").write_text(SHEET, encoding="utf-8")
    sheet = yaml.safe_load(SHEET)
    encoders = {"clip": reference_clip.Encoder(HERE / "models/clip_tiny", torch.float32), "dino": Dino(),
                "dinov2": Dinov2(), "siglip": Siglip()}
    texts = sorted({text_of(prompt, "class", subject["class"]) for subject in sheet["concepts"]
                    for prompt in sheet["prompts"]})
    width = encoders["siglip"].model.config.vision_config.hidden_size
    features = torch.randn(len(texts), width, generator=torch.Generator().manual_seed(7))
    safetensors.torch.save_file({"features": features}, REFERENCES / "siglip_texts.safetensors",
                                metadata={"texts": json.dumps(texts)})
    scores = {protocol: score(protocol, encoders, sheet) for protocol in PROTOCOLS}
    (REFERENCES / "protocols.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
