#!/usr/bin/env python3
"""Scores of pictures by the protocols beside Textual Inversion's, with transformers, Pillow and PyTorch; shares no code
with Atelier. Uses the pictures and the CLIP that make_references.py wrote, and encoders of tests/parity.

    pictures/masks                   an ellipse for every picture; none of cat2's last oil painting is foreground
    pictures/removed                 the same ellipses on blue, as a program that removes backgrounds may write them
    references/protocol_sheet.yaml   the sheet, with edit phrases and texts to score
    references/siglip_texts.safetensors  vectors for --text-features
    references/features.safetensors  what catversion_masked's encoder gives, as --features-out writes it
    references/protocols.json        {protocol: {"images", "sets", "concepts", "method", "anchors"}}

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


def write_pictures():
    for file in sorted(PICTURES.glob("generated/*/*/*.png")) + sorted(PICTURES.glob("references/*/*.png")):
        name = file.relative_to(PICTURES)
        width, height = Image.open(file).size
        y, x = numpy.mgrid[0:height, 0:width]
        inside = ((x - width / 2) / (width / 3)) ** 2 + ((y - height / 2) / (height / 2.5)) ** 2 < 1
        mask = numpy.where(inside, 200, 90).astype(numpy.uint8)  # the threshold is 128
        target = PICTURES / "masks" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask * (0 if str(name) == NOTHING else 1)).save(target, optimize=True)
        cut = numpy.where(inside[..., None], numpy.array(Image.open(file).convert("RGB")), (0, 0, 255)).astype(numpy.uint8)
        target = PICTURES / "removed" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cut).save(target, optimize=True)


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


def opened(file, kind, removed):
    """The picture as the encoder sees it: whole, or its foreground under the mask or as it was cut out."""
    if kind == "foreground" and removed:
        return Image.open(PICTURES / "removed" / file.relative_to(PICTURES)).convert("RGB")
    image = Image.open(file).convert("RGB")
    if kind != "foreground":
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
    "dreambench++": ("class", False, None, [("clip_i", "clip", "clip-hf", "image"),
                                            ("clip_t", "clip", "clip-hf", "text"),
                                            ("dino_i", "dino", "dino-orig", "image"),
                                            ("dinov2_i", "dinov2", "dinov2-hf", "image")]),
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


class Scorer:
    """One protocol on the sheet; `removed`: cut-outs stand for masks."""

    def __init__(self, protocol, encoders, sheet, removed=False):
        self.rule, self.masked, self.scale, self.metrics = PROTOCOLS[protocol]
        self.encoders, self.sheet, self.removed, self.known = encoders, sheet, removed, {}
        self.overall = protocol.startswith("catversion")

    def raw(self, role, front_end, kind, path):
        key = (role, front_end, kind, path)
        if key not in self.known:
            encoder = self.encoders[role]
            pixels = FRONT_ENDS[front_end](opened(path, kind, self.removed), encoder.size)
            self.known[key] = encoder.images(pixels)[0]
        return self.known[key]

    def cosine(self, metric, a, b):
        _, role, front_end, kind = metric
        return (unit(self.raw(role, front_end, kind, a)) @ unit(self.raw(role, front_end, kind, b))).item()

    def text_score(self, metric, path, text):
        _, role, front_end, _ = metric
        cosine = (unit(self.raw(role, front_end, "whole", path)) @ unit(self.encoders[role].texts([text]))[0]).item()
        return cosine if self.scale is None else self.scale * max(0.0, cosine)

    def status(self, path):
        return "no_foreground" if self.masked and not self.removed and share(path) == 0 else "ok"

    def image(self, path, references, text):
        scores = {}
        for metric in self.metrics:
            if metric[3] == "text":
                scores[metric[0]] = self.text_score(metric, path, text)
            elif metric[3] == "foreground" and self.status(path) != "ok":
                scores[metric[0]] = None
            else:
                scores[metric[0]] = mean([self.cosine(metric, path, each) for each in references])
        return scores

    def anchors(self, subject, references, texts):
        same = {frozenset(pair) for pair in subject.get("duplicates", [])}
        scores = {}
        for metric in self.metrics:
            if metric[3] == "text":
                scores[metric[0]] = mean([self.text_score(metric, each, text) for text in texts for each in references])
                continue
            pairs = [(a, b) for a in references for b in references]
            distinct = [(a, b) for a, b in pairs if a != b and frozenset((a.name, b.name)) not in same]
            scores[metric[0] + "_all"] = mean([self.cosine(metric, a, b) for a, b in pairs])
            scores[metric[0] + "_distinct"] = mean([self.cosine(metric, a, b) for a, b in distinct])
        return scores

    def add_overall(self, scores):
        if self.overall:
            image, text = scores["clip_i"], scores["clip_t"]
            defined = image is not None and text is not None and image >= 0 and text >= 0
            scores["overall"] = (image * text) ** 0.5 if defined else None
        return scores

    def tables(self):
        names = [metric[0] for metric in self.metrics]
        kept = [name for name in names if name in ("clip_i", "dino_i", "dinov2_i")]
        result = {"images": [], "sets": [], "concepts": [], "method": {}, "anchors": {"concepts": []}}
        for subject in self.sheet["concepts"]:
            name = subject["name"]
            references = sorted((PICTURES / "references" / name).iterdir())
            mine, texts, keeping = [], [], []
            for prompt in self.sheet["prompts"]:
                if prompt["id"] not in subject.get("prompts", [prompt["id"]]):
                    continue
                text = text_of(prompt, self.rule, subject["class"])
                texts.append(text)
                rows = []
                for k, file in enumerate(sorted((PICTURES / "generated" / name / prompt["id"]).iterdir())):
                    row = {"concept": name, "prompt": prompt["id"], "k": k, "status": self.status(file),
                           "scores": self.image(file, references, text)}
                    if self.masked and not self.removed:
                        row["foreground"] = share(file)
                    rows.append(row)
                result["images"] += rows
                scores = {each: mean([row["scores"][each] for row in rows]) for each in names}
                mine.append(scores)
                keeping.append(prompt.get("keeps_appearance", True))
                result["sets"].append({"concept": name, "prompt": prompt["id"], "text": text, "n": len(rows),
                                       "scores": self.add_overall(dict(scores))})
            own = [row for row in result["images"] if row["concept"] == name]
            scores = {each: mean([one[each] for one in mine]) for each in names}
            scores |= {each + "_kept": mean([one[each] for one, keeps in zip(mine, keeping) if keeps]) for each in kept}
            result["concepts"].append({"concept": name, "n_sets": len(mine), "n_images": len(own),
                                       "miss_rate": sum(row["status"] != "ok" for row in own) / len(own),
                                       "scores": self.add_overall(scores)})
            result["anchors"]["concepts"].append({"concept": name, "scores": self.anchors(subject, references, texts)})
        self.add_method(result, names)
        return result

    def add_method(self, result, names):
        for name in result["concepts"][0]["scores"]:
            values = [one["scores"][name] for one in result["concepts"]]
            defined = [value for value in values if value is not None]
            entry = {"mean": mean(values), "n_concepts": len(defined),
                     "se": float(numpy.std(defined, ddof=1) / len(defined) ** 0.5) if len(defined) > 1 else None}
            if name in names:
                images = [row["scores"][name] for row in result["images"]]
                entry |= {"n_sets": sum(one["scores"][name] is not None for one in result["sets"]),
                          "n_images": sum(value is not None for value in images), "micro": mean(images)}
            result["method"][name] = entry
        if self.overall:
            means = {name: result["method"][name]["mean"] for name in ("clip_i", "clip_t")}
            result["method"]["overall"] |= {"mean": self.add_overall(means)["overall"], "se": None}
        rows = [one["scores"] for one in result["anchors"]["concepts"]]
        result["anchors"]["method"] = {name: mean([row[name] for row in rows]) for name in rows[0]}

    def features(self, role, front_end):
        """As --features-out lays them out."""
        tensors, metadata = {}, {}
        for side in ("generated", "references"):
            for kind, suffix in (("whole", ""), ("foreground", "_masked")):
                paths = []
                for subject in self.sheet["concepts"]:
                    folder = PICTURES / side / subject["name"]
                    for prompt in self.sheet["prompts"] if side == "generated" else [None]:
                        if prompt is None:
                            paths += sorted(folder.iterdir())
                        elif prompt["id"] in subject.get("prompts", [prompt["id"]]):
                            paths += sorted((folder / prompt["id"]).iterdir())
                if kind == "foreground":
                    paths = [path for path in paths if self.status(path) == "ok"]
                tensors[side + suffix] = torch.stack([self.raw(role, front_end, kind, path) for path in paths])
                metadata[side + suffix] = json.dumps([str(path.relative_to(PICTURES / side)) for path in paths])
        return tensors, metadata


def mean(values):
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    write_pictures()
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
    scores = {protocol: Scorer(protocol, encoders, sheet).tables() for protocol in PROTOCOLS}
    scores["catversion_masked, removed"] = Scorer("catversion_masked", encoders, sheet, removed=True).tables()
    tensors, metadata = Scorer("catversion_masked", encoders, sheet).features("clip", "clip-openai")
    safetensors.torch.save_file(tensors, REFERENCES / "features.safetensors", metadata=metadata)
    (REFERENCES / "protocols.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
