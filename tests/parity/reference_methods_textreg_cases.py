"""TextReg's cases. The class word is one token (man) or three (people)."""

import reference_methods_lora as lora
import torch
from reference_methods import Case, captions, draw_batches
from reference_methods_model import Pipeline
from reference_methods_textreg import PLACEHOLDER, TOKEN

CAPTIONS = ["a photo of a {}", "a cropped photo of the {}", "the photo of a clean {}, today"]
EDITS = ["a {} in the snow", "a red {}", "a {} on top of a white rug"]


def fill(texts, phrase):
    return [text.format(phrase) for text in texts]


def turned(texts, step, batch):
    return [texts[(step + row) % len(texts)] for row in range(batch)]


def configuration(stage, class_word, options, settings):
    options = {"initializer_id": 788, **options}
    config = {"method": "textreg", "preset": "readme", "placeholder": PLACEHOLDER, "class_word": class_word,
              "options": options}
    return {**config, "stages": {stage: settings}} if settings else config


def normal(seed, shapes, scale):
    generator = torch.Generator().manual_seed(seed)
    return {name: scale * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def lora_tensors(prefix, seed, rank, leaf, scale):
    shapes = lora.shapes(Pipeline("sd15", torch.float32, []).unet, rank)
    chosen = {f"{prefix}.{name}": shape for name, shape in shapes.items() if f".{leaf}." in name}
    return normal(seed, chosen, scale)


def masks(draws):
    return {f"batch.{step}.mask_identifier": torch.tensor(draw) for step, draw in enumerate(draws)}


def make_rows(name, seed, batch, draws, class_word="man", init=False, options=None, **settings):
    config = configuration("ti", class_word, {"lora_rank": 2, **(options or {})}, settings)
    tensors = draw_batches(seed, batch, len(draws)) | masks(draws)
    if init:
        tensors |= normal(seed + 1000, {f"init.{TOKEN}": [32]}, 0.3)
    if config["options"].get("carry_ti_grads"):
        tensors |= lora_tensors("init", seed + 2000, 2, "lora_A", 0.5)
    phrases = fill(CAPTIONS, f"{PLACEHOLDER} {class_word}")
    texts = captions(*(turned(phrases, step, batch) for step in range(len(draws))))
    return Case(f"textreg_ti_{name}", "sd15", "ti", config, tensors, texts, len(draws))


def texts_of(class_word, batch, steps, prior):
    phrase = f"{PLACEHOLDER} {class_word}"
    texts = {}
    for step in range(steps):
        rows = turned(fill(CAPTIONS, phrase), step, batch)
        edits = turned(fill(EDITS, phrase), step, batch)
        if prior:  # the class half has captions of its own, and one text for every row leaves no doubt about halves
            rows[batch // 2:] = turned(fill(CAPTIONS, class_word), step, batch // 2)
            edits = [edits[0]] * batch
        texts[f"batch.{step}.captions"], texts[f"batch.{step}.edit_prompts"] = rows, edits
        texts[f"batch.{step}.class_prompts"] = [f"a photo of a {class_word}"] * batch
    return texts


def make_lora(name, seed, batch, draws, class_word="man", rank=2, up=0.3, carry=0.0, options=None, **settings):
    config = configuration("ut", class_word, {"lora_rank": rank, **(options or {})}, settings)
    tensors = draw_batches(seed, batch, len(draws)) | masks(draws)
    tensors |= normal(seed + 1000, {f"init.{TOKEN}": [32]}, 0.5)
    tensors |= lora_tensors("init", seed + 2000, rank, "lora_A", 0.5)
    if up:
        tensors |= lora_tensors("init", seed + 3000, rank, "lora_B", up)
    if carry:
        tensors |= lora_tensors("carry", seed + 4000, rank, "lora_B", carry)
    prior = config["options"].get("with_prior_preservation", False)
    return Case(f"textreg_ut_{name}", "sd15", "ut", config, tensors, texts_of(class_word, batch, len(draws), prior),
                len(draws))


def cases():
    both = [[1, 0], [0, 1], [1, 1]]
    return [
        make_rows("one_token_class", 21, 1, [[1], [0], [1]]),
        make_rows("batch", 22, 2, [[1], [1], [0]], class_word="people", init=True, learning_rate=0.002),
        make_rows("carry", 23, 1, [[0], [1], [1]], options={"carry_ti_grads": True}),
        make_lora("readme", 31, 1, both),
        make_lora("first_step", 32, 1, both, up=0,
                  options={"text_reg_alpha_weight": 0.0, "text_reg_beta_weight": 0.0}),
        make_lora("zero_ups", 33, 1, both, up=0),
        make_lora("batch", 34, 2, both, class_word="people",
                  options={"text_reg_alpha_weight": 0.02, "text_reg_beta_weight": 0.1}, max_grad_norm=0.02),
        make_lora("carry", 35, 1, both, options={"carry_ti_grads": True}, carry=0.05),
        make_lora("prior", 36, 4, both[:2], options={"with_prior_preservation": True, "prior_loss_weight": 0.5}),
        make_lora("diagnostic", 37, 1, both,
                  options={"text_reg_alpha_weight": 0.0, "text_reg_beta_weight": 0.0}),
        make_lora("rates", 38, 1, both[:2], rank=3, gradient_accumulation_steps=2, train_batch_size=3,
                  learning_rate=0.0005, adam_beta1=0.8, adam_beta2=0.99, adam_weight_decay=0.1),
    ]
