"""Textual Inversion: one or more vectors for a placeholder, noise-prediction loss, AdamW without clipping. On SDXL the
vectors of both text encoders learn together."""

import torch
import torch.nn.functional as F
from reference_methods import Case, captions, draw_batches, finish, learning_rate, make_optimizer, record, total_norm
from reference_methods_model import Pipeline
from reference_methods_rows import start_rows, train_rows
from reference_methods_two_towers import TwoTowers, draw_time_ids

PLACEHOLDER = "<x>"
PHOTO, RENDERING, CLEAN = "a photo of a <x>", "a rendering of the <x>, clean", "<x> on the moon"


def tokens(count):
    return [PLACEHOLDER + (f"_{index}" if index else "") for index in range(count)]


def run_two_towers(case, dtype):
    words = tokens(case.options.get("num_vectors", 1))
    model = TwoTowers(case.model, dtype)
    names = model.add_tokens(words, case.options.get("initializer_token", case.config["class_word"]), case.init)
    accumulation, outputs = case.settings.get("gradient_accumulation_steps", 1), {}
    optimizer, schedule = make_optimizer(model.tables, case.settings, learning_rate(case.settings, None, accumulation))
    for step in range(case.steps):
        texts = [text.replace(PLACEHOLDER, " ".join(words)) for text in case.texts[f"batch.{step}.captions"]]
        prediction, target = model.prediction_and_target(case.tensors, step, *model.encode(texts))
        loss = F.mse_loss(prediction, target)
        (loss / accumulation).backward()
        gradients = dict(zip(names, model.new_rows([table.grad for table in model.tables])))
        record(outputs, step, loss, {"mse": loss}, gradients, total_norm(gradients.values()))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        model.put_others_back()
    return finish(outputs, dict(zip(names, model.new_rows(model.tables)))), {"mse": 1.0}


def run(case, dtype):
    """-> outputs, weights. A caption holds the placeholder once; the encoder reads all its tokens in a row."""
    if case.model == "sdxl":
        return run_two_towers(case, dtype)
    words = tokens(case.options.get("num_vectors", 1))
    names = [f"text_encoder.token.{word}" for word in words]
    pipeline = Pipeline(case.model, dtype, words)
    initializer = case.options.get("initializer_token", case.config["class_word"])
    table = pipeline.add_rows(start_rows(pipeline, pipeline.single_token(initializer), names, case.init))

    def encode(step):
        ids = pipeline.tokenize(text.replace(PLACEHOLDER, " ".join(words))
                                for text in case.texts[f"batch.{step}.captions"])
        assert all((ids == row).sum() == len(ids) for row in pipeline.token_ids)
        return pipeline.text_encoder(ids).last_hidden_state

    accumulation = case.settings.get("gradient_accumulation_steps", 1)
    return train_rows(case, pipeline, table, names, encode, accumulation, None), {"mse": 1.0}


def make(name, seed, texts, model="sd15", pixels=False, init=(), options=None, **settings):
    config = {"method": "textual_inversion", "placeholder": PLACEHOLDER, "class_word": "man"}
    if options:
        config["options"] = options
    config["stages"] = {"embedding": {"learning_rate": 0.005, **settings}}
    tensors = draw_batches(seed, len(texts[0]), len(texts), pixels)
    generator = torch.Generator().manual_seed(seed + 1000)
    tensors |= {f"init.text_encoder.token.{word}": 0.5 * torch.randn(32, generator=generator) for word in init}
    if model == "sdxl":
        tensors |= draw_time_ids(seed + 500, texts)
    return Case(f"textual_inversion_{name}", model, "embedding", config, tensors, captions(*texts), len(texts))


def cases():
    singles = [[PHOTO], [RENDERING], [CLEAN]]
    pairs = [[PHOTO, CLEAN], [RENDERING, PHOTO], [CLEAN, RENDERING]]
    scaled = {"scale_lr": True, "train_batch_size": 2}
    return [
        make("one_vector", 1, singles),
        make("three_vectors", 2, pairs, init=["<x>_1"], options={"initializer_token": "time", "num_vectors": 3}),
        make("v_prediction", 3, pairs, model="sd21", options={"initializer_token": "red"}),
        make("pixel_values", 4, singles, pixels=True),
        make("cosine_warmup", 5, [*singles, *singles[:2]], lr_scheduler="cosine", lr_warmup_steps=2, max_train_steps=6),
        make("scale_lr", 6, singles, init=["<x>"], adam_weight_decay=0.5, **scaled),
        make("accumulation", 7, pairs, gradient_accumulation_steps=2, **scaled),
        make("sdxl", 8, pairs, model="sdxl"),
        make("sdxl_two_vectors", 9, singles, model="sdxl", options={"initializer_token": "red", "num_vectors": 2},
             adam_weight_decay=0.5),
    ]
