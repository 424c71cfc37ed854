"""AttnDreamBooth's cases. The class word is one token (man) or three (people)."""

import torch
from reference_methods import Case, captions, draw_batches
from reference_methods_attndreambooth import PLACEHOLDER
from reference_methods_model import Pipeline

CAPTION, OTHER = "a photo of a {}", "the photo of a clean {}, today"


def texts_of(class_word, batch, steps, prior):
    own = [CAPTION.format(f"{PLACEHOLDER} {class_word}"), OTHER.format(f"{PLACEHOLDER} {class_word}")]
    rows = batch // 2 if prior else batch
    of_class = [CAPTION.format(class_word)] * (batch - rows)
    return captions(*([own[(step + row) % 2 if step else 0] for row in range(rows)] + of_class
                      for step in range(steps)))


def attention_start(model, seed):
    """As another stage would leave it: the base's cross-attention, changed."""
    generator = torch.Generator().manual_seed(seed)
    parameters = Pipeline(model, torch.float32, []).unet.named_parameters()
    return {f"init.unet.{name}": value + 0.05 * torch.randn(value.shape, generator=generator)
            for name, value in parameters if "mid_block" in name and "attn2" in name}


def make(stage, name, seed, batch, model="sd15", class_word="man", steps=3, vectors=(), start=False, options=None,
         **settings):
    config = {"method": "attndreambooth", "placeholder": PLACEHOLDER, "class_word": class_word}
    if options:
        config["options"] = options
    if settings:
        config["stages"] = {stage: settings}
    tensors = draw_batches(seed, batch, steps)
    width = 32 if model == "sd15" else 40
    generator = torch.Generator().manual_seed(seed + 1000)
    tensors |= {f"init.text_encoder.token.{word}": 0.5 * torch.randn(width, generator=generator) for word in vectors}
    if start:
        tensors |= attention_start(model, seed + 2000)
    prior = (options or {}).get("with_prior_preservation", False)
    return Case(f"attndreambooth_{stage}_{name}", model, stage, config, tensors,
                texts_of(class_word, batch, steps, prior), steps)


def cases():
    prior = {"with_prior_preservation": True, "prior_loss_weight": 0.5}
    return [
        make("embedding", "own", 401, 2),
        make("embedding", "vectors", 402, 2, vectors=["<v>_1"], reg_mean_weight=50.0, reg_var_weight=500.0,
             options={"n_object_embedding": 3, "initialize_token": "red time of"}),
        make("embedding", "prior", 403, 4, class_word="people", vectors=["<v>"], options=prior, learning_rate=5e-3,
             reg_mean_weight=100.0),
        make("embedding", "plain", 404, 2, vectors=["<v>"], options={"with_cross_attn_reg": False}),
        make("embedding", "sd21_logical", 405, 2, model="sd21", gradient_accumulation_steps=2, scale_lr=True,
             train_batch_size=2, reg_var_weight=1.0),
        make("embedding", "sd21_divided", 406, 2, model="sd21", gradient_accumulation_steps=2, max_grad_norm=0.0005,
             options={"reg_accumulation": "divided"}),
        make("attention", "own", 411, 2, learning_rate=1e-3),
        make("attention", "vectors", 412, 3, vectors=["<v>_1"], class_word="people", learning_rate=1e-3,
             adam_epsilon=1e-5, options={"n_object_embedding": 2}, steps=2),
        make("attention", "sd21_prior", 413, 4, model="sd21", vectors=["<v>"], options=prior, learning_rate=1e-3,
             adam_epsilon=1e-5, adam_weight_decay=0.1, reg_mean_weight=200.0, reg_var_weight=5000.0),
        make("attention", "plain", 414, 2, vectors=["<v>"], steps=2, options={"with_cross_attn_reg": False},
             learning_rate=1e-3, adam_epsilon=1e-5),
        make("identity", "own", 421, 2, learning_rate=1e-3, adam_epsilon=1e-5),
        make("identity", "start", 422, 2, vectors=["<v>"], start=True, steps=2, learning_rate=1e-3, adam_epsilon=1e-5,
             reg_mean_weight=200.0, reg_var_weight=5000.0),
        make("identity", "sd21_prior", 423, 4, model="sd21", class_word="people", steps=2,
             adam_epsilon=1e-5, options={**prior, "n_object_embedding": 2}, learning_rate=1e-3),
    ]
