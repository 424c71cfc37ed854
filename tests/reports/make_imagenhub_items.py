"""Writes imagenhub_items.json, the published scores of 600 pictures, for imagenhub.tests.cpp.

usage: make_imagenhub_items.py CHECKOUT > imagenhub_items.json

CHECKOUT is TIGER-AI-Lab/VIEScore (MIT, (c) 2024 Max W.F. Ku) at commit 2cbea4e8ce5721425a8772590ecdbe7d2edd1721. Task
ImagenHub_Subject-Driven_IG: 30 subjects x 5 prompts, picture i of subject i // 5. `human` is the mean over three raters
of semantic consistency, 0 to 1.
"""
import csv
import json
import sys
from pathlib import Path

TASK = "ImagenHub_Subject-Driven_IG"
METHODS = ["DreamBooth", "BLIPDiffusion_Gen", "TextualInversion", "DreamBoothLora"]


def raters(root):
    for number in (1, 2, 3):
        file = root / f"_human_annotations/ImagenHub_human_eval_results/{TASK}/Subject-Driven_IG_rater{number}.tsv"
        with open(file, encoding="utf-8") as rows:
            yield {row["uid"]: row for row in csv.DictReader(rows, delimiter="\t")}


def items(root, method, ratings):
    scores = json.loads((root / f"_answers/results_autometrics/{TASK}/{method}.json").read_text())
    for name in (f"sample_{i}.jpg" for i in range(150)):
        human = [float(json.loads(rating[name][method])[0]) for rating in ratings]
        yield [round(sum(human) / 3, 6), scores[name]["CLIP_I"], scores[name]["DINO"]]


def main():
    root = Path(sys.argv[1]) / "paper_implementation"
    ratings = list(raters(root))
    methods = [f' "{m}": [\n  ' + ",\n  ".join(map(json.dumps, items(root, m, ratings))) + "]" for m in METHODS]
    print('{"columns": ["human", "clip_i", "dino_i"],\n' + ",\n".join(methods) + "}")


main()
