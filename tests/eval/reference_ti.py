"""The Textual Inversion protocols: ti_code takes the mean cosine with the text, ti_paper the cosine of the mean image.

Both squash references to the side of the generated pictures (Pillow bicubic, 8 bit) and then bring all pictures to the
encoder's size with the tensor bicubic without antialias."""

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGE_SCORES = ("clip_i", "clip_t")
SET_SCORES = (*IMAGE_SCORES, "gbar_norm", "clip_t_paper")


def pixel_values(path, size, squash, dtype):
    image = Image.open(path).convert("RGB")
    if squash is not None and image.size != (squash, squash):
        image = image.resize((squash, squash), Image.Resampling.BICUBIC)
    values = torch.from_numpy(numpy.array(image)).to(dtype).permute(2, 0, 1)[None] / 127.5 - 1
    values = F.interpolate((values + 1) / 2, size=(size, size), mode="bicubic", align_corners=False, antialias=False)
    mean, std = (torch.tensor(constants, dtype=dtype).view(1, 3, 1, 1) for constants in (MEAN, STD))
    return (values - mean) / std


def unit(features):
    """Rows of length one, in double."""
    return F.normalize(features.double(), dim=-1)


def drop_placeholder(text):
    return " ".join(text.replace("{}", " ").split())


class Concept:
    def __init__(self, clip, folder, sheet_entry, prompts):
        self.name, self.prompts = sheet_entry["name"], prompts
        self.duplicates = [set(pair) for pair in sheet_entry.get("duplicates", [])]
        self.files = {prompt["id"]: sorted((folder / "generated" / self.name / prompt["id"]).iterdir())
                      for prompt in prompts}
        side, = {Image.open(file).size[0] for files in self.files.values() for file in files}
        references = sorted((folder / "references" / self.name).iterdir())
        self.reference_names = [file.name for file in references]

        def encode(files, squash):
            return unit(torch.cat([clip.images(pixel_values(file, clip.size, squash, clip.dtype)) for file in files]))

        self.references = encode(references, side)
        self.generated = {prompt: encode(files, None) for prompt, files in self.files.items()}
        self.texts = {prompt["id"]: drop_placeholder(prompt["text"]) for prompt in prompts}
        self.text_vectors = {prompt: unit(clip.texts([text]))[0] for prompt, text in self.texts.items()}


def mean(values):
    return sum(values) / len(values) if values else None


def score_images(concept, folder):
    """-> rows of `images` and of `pairs`."""
    images, pairs = [], []
    for prompt, vectors in concept.generated.items():
        cosines = vectors @ concept.references.T
        text_cosines = vectors @ concept.text_vectors[prompt]
        for k, file in enumerate(concept.files[prompt]):
            place = {"concept": concept.name, "prompt": prompt, "k": k}
            scores = {"clip_i": cosines[k].mean().item(), "clip_t": text_cosines[k].item()}
            images.append({**place, "file": str(file.relative_to(folder / "generated")), "status": "ok",
                           "scores": scores})
            pairs += [{**place, "reference": name, "scores": {"clip_i": cosine}}
                      for name, cosine in zip(concept.reference_names, cosines[k].tolist())]
    return images, pairs


def score_sets(concept, images):
    sets = []
    for prompt, vectors in concept.generated.items():
        rows = [image["scores"] for image in images if image["prompt"] == prompt]
        scores = {metric: mean([row[metric] for row in rows]) for metric in IMAGE_SCORES}
        scores["gbar_norm"] = vectors.mean(dim=0).norm().item()
        scores["clip_t_paper"] = scores["clip_t"] / scores["gbar_norm"]
        sets.append({"concept": concept.name, "prompt": prompt, "text": concept.texts[prompt], "n": len(rows),
                     "scores": scores})
    return sets


def score_concept(protocol, concept, sets):
    scores = {metric: mean([row["scores"][metric] for row in sets]) for metric in SET_SCORES}

    def over(metric, wanted):
        chosen = {prompt["id"] for prompt in concept.prompts if wanted(prompt)}
        return mean([row["scores"][metric] for row in sets if row["prompt"] in chosen])

    edited = "clip_t" if protocol == "ti_code" else "clip_t_paper"
    scores["clip_i_kept"] = over("clip_i", lambda prompt: prompt.get("keeps_appearance", True))
    scores["reconstruction"] = over("clip_i", lambda prompt: prompt.get("role") == "reconstruction")
    scores["editability"] = over(edited, lambda prompt: prompt.get("role", "edit") == "edit")
    return {"concept": concept.name, "n_sets": len(sets), "n_images": sum(row["n"] for row in sets), "miss_rate": 0.0,
            "scores": scores}


def score_method(images, concepts):
    """Macro mean over concepts with its standard error; for scores of an image also the mean over all images."""
    result = {}
    for metric in concepts[0]["scores"]:
        values = numpy.array([concept["scores"][metric] for concept in concepts])
        result[metric] = {"mean": values.mean().item(), "se": (values.std(ddof=1) / len(values) ** 0.5).item(),
                          "n_concepts": len(values)}
        if metric in IMAGE_SCORES:
            result[metric] |= {"n_sets": sum(concept["n_sets"] for concept in concepts), "n_images": len(images),
                               "micro": mean([image["scores"][metric] for image in images])}
    return result


def anchor(concept):
    """References against themselves: all pairs; without a picture and itself or its near-copy; and with the texts."""
    cosines, names = concept.references @ concept.references.T, concept.reference_names
    distinct = [cosines[i, j].item() for i in range(len(names)) for j in range(len(names))
                if i != j and {names[i], names[j]} not in concept.duplicates]
    texts = torch.stack(list(concept.text_vectors.values()))
    return {"clip_i_all": cosines.mean().item(), "clip_i_distinct": mean(distinct),
            "clip_t": (concept.references @ texts.T).mean().item()}


def score(protocol, clip, folder, sheet):
    """-> the parts of a score file that are numbers."""
    result = {"images": [], "sets": [], "concepts": [], "pairs": []}
    anchors = []
    for entry in sorted(sheet["concepts"], key=lambda concept: concept["name"]):
        wanted = entry.get("prompts", [prompt["id"] for prompt in sheet["prompts"]])
        concept = Concept(clip, folder, entry, [prompt for prompt in sheet["prompts"] if prompt["id"] in wanted])
        images, pairs = score_images(concept, folder)
        sets = score_sets(concept, images)
        result["images"] += images
        result["pairs"] += pairs
        result["sets"] += sets
        result["concepts"].append(score_concept(protocol, concept, sets))
        anchors.append({"concept": concept.name, "scores": anchor(concept)})
    result["method"] = score_method(result["images"], result["concepts"])
    means = {metric: mean([row["scores"][metric] for row in anchors]) for metric in anchors[0]["scores"]}
    result["anchors"] = {"concepts": anchors, "method": means}
    return result
