"""DCO's cases: both stages, one text encoder and two, and every switch that changes a number."""

import torch
from reference_files import MODELS
from reference_methods import Case, draw_batches
from reference_methods_dco import PLACEHOLDER, TARGETS
from safetensors import safe_open

SCENES = ["a close-up photo of a {} on wet grass, soft light", "a top view photo of the {} beside a laptop, 1999",
          "{}, sitting on a white rug"]
STYLE = "a cat on a hill, in the style of a flat cartoon illustration"


def layers(model):
    """Name -> (out, in) of the layers that get an adapter, from the files."""
    found = {}
    for path in sorted((MODELS / model / "unet").glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for key in file.keys():
                name = key.removesuffix(".weight")
                if name != key and name.endswith(tuple(f".{target}" for target in TARGETS)):
                    found[name] = tuple(file.get_slice(key).get_shape())
    return found


def starts(model, seed, rank, up, tokens, widths):
    """`init.` tensors: downs, ups where `up` is not 0, and the token's rows."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, (rows, columns) in layers(model).items():
        tensors[f"init.unet.{name}.lora_A.weight"] = 0.5 * torch.randn([rank, columns], generator=generator)
        if up:
            tensors[f"init.unet.{name}.lora_B.weight"] = up * torch.randn([rows, rank], generator=generator)
    for encoder, width in widths.items() if tokens else ():
        tensors[f"init.{encoder}.token.{PLACEHOLDER}"] = 0.5 * torch.randn(width, generator=generator)
    return tensors


def turned(step, batch, word):
    return [SCENES[(step + row) % len(SCENES)].format(word) for row in range(batch)]


def make(stage, name, seed, batch=1, steps=2, model="sd15", rank=1, up=0.2, tokens=True, options=None, **settings):
    options = {"rank": rank, **(options or {})}
    word = "man" if stage == "subject" else STYLE
    config = {"method": "dco", "preset": stage, "class_word": word, "options": options}
    if stage == "subject":
        config["placeholder"] = PLACEHOLDER
    if settings:
        config["stages"] = {stage: settings}
    widths = {"sd15": {"text_encoder": 32}, "sd21": {"text_encoder": 40},
              "sdxl": {"text_encoder": 24, "text_encoder_2": 40}}[model]
    tensors = draw_batches(seed, batch, steps)
    tensors |= starts(model, seed + 1000, rank, up, stage == "subject" and tokens, widths)
    if model == "sdxl":
        for step in range(steps):
            tensors[f"batch.{step}.time_ids"] = torch.tensor([[64.0, 64, 0, 0, 64, 64]]).repeat(batch, 1)
    texts = {}
    for step in range(steps):
        phrase = PLACEHOLDER if stage == "subject" else STYLE
        texts[f"batch.{step}.captions"] = turned(step, batch, phrase)
        if stage == "subject" and options.get("dcoloss_beta", 1000.0) > 0:
            texts[f"batch.{step}.base_captions"] = turned(step, batch, word)
    return Case(f"dco_{stage}_{name}", model, stage, config, tensors, texts, steps)


def subjects():
    def subject(*arguments, **more):
        return make("subject", *arguments, **more)

    mild = {"dcoloss_beta": 20.0}
    return [
        subject("readme", 51, steps=3, up=0, tokens=False),
        subject("sd21_batch", 52, batch=3, model="sd21", options={**mild, "text_encoder_lr": 1e-3},
                learning_rate=1e-3, max_grad_norm=0.05),
        subject("sd21_per_sample", 53, batch=3, model="sd21", options={**mild, "sigmoid_reduction": "per_sample"}),
        subject("sd21_min_snr", 54, batch=2, model="sd21", options={**mild, "snr_gamma": 5.0}),
        subject("sdxl_frozen", 55, batch=2, model="sdxl", tokens=False, options={**mild, "ti_update": "frozen"}),
        subject("sd21_random", 56, batch=1, model="sd21", options={**mild, "initializer_token": ""}, max_grad_norm=0.1),
        subject("mse", 57, batch=2, options={"dcoloss_beta": -1.0, "text_encoder_lr": 0.0,
                                             "adam_weight_decay_text_encoder": 0.5}),
        subject("sdxl_batch", 58, batch=2, model="sdxl", options={**mild, "text_encoder_lr": 1e-3}),
        subject("sdxl_eos", 59, steps=1, model="sdxl", up=0, tokens=False, options={"pool": "eos"}),
        subject("sdxl_argmax", 59, steps=1, model="sdxl", up=0, tokens=False),
    ]


def styles():
    def style(*arguments, **more):
        return make("style", *arguments, **more)

    mild = {"dcoloss_beta": 20.0}
    return [
        style("readme", 61, steps=3, up=0),
        style("min_snr", 62, batch=2, options={**mild, "snr_gamma": 5.0, "sigmoid_reduction": "per_sample"}),
        style("sd21_rates", 63, batch=2, model="sd21", rank=2,
              options={**mild, "max_train_steps": 6}, gradient_accumulation_steps=2, train_batch_size=3, scale_lr=True,
              lr_scheduler="cosine", lr_warmup_steps=1, adam_beta1=0.8, adam_beta2=0.99, adam_weight_decay=0.1),
        style("sd21_mse", 64, batch=2, model="sd21", options={"dcoloss_beta": 0.0}),
        style("sdxl_batch", 65, batch=3, model="sdxl", options=mild),
    ]


def cases():
    return subjects() + styles()
