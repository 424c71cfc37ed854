"""CatVersion: keys and values in front of the text's in layers of the text encoder; noise-prediction loss, AdamW."""

import json

import torch
from reference_files import MODELS
from reference_methods import Case, captions, draw_batches, finish, learning_rate, make_optimizer, record, total_norm
from reference_methods_model import Pipeline

NAME = "text_encoder.control_trans"


def positions(length, layers, heads, size):
    """(layer, kind, entry, head, channel) -> place in the flat tensor; kind 0 is the key, 1 the value."""
    return {(l, kv, p, h, d): ((p * 2 * layers + 2 * l + kv) * heads + h) * size + d
            for p in range(length) for l in range(layers) for kv in (0, 1) for h in range(heads) for d in range(size)}


def prefixes(flat, length, layers, heads):
    """-> for each layer key and value, [heads, length, size]."""
    size = flat.numel() // (length * 2 * layers * heads)
    place = positions(length, layers, heads, size)
    assert sorted(place.values()) == list(range(flat.numel()))

    def take(l, kv):
        return torch.stack([torch.stack([flat[[place[l, kv, p, h, d] for d in range(size)]] for p in range(length)])
                            for h in range(heads)])

    return [(take(l, 0), take(l, 1)) for l in range(layers)]


def attention(layer, states, prefix, bias):
    batch, length, width = states.shape
    heads = layer.num_heads
    size = width // heads

    def split(projected):
        return projected.view(batch, length, heads, size).permute(0, 2, 1, 3)

    query, key, value = (split(projection(states)) for projection in (layer.q_proj, layer.k_proj, layer.v_proj))
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    query = query / size ** 0.5
    scores = torch.einsum("bhid,bhjd->bhij", query, key).masked_fill(later, float("-inf"))
    if prefix is not None:
        extra = torch.einsum("bhid,hpd->bhip", query, prefix[0]) + bias
        scores = torch.cat([extra, scores], dim=-1)
        value = torch.cat([prefix[1].expand(batch, -1, -1, -1), value], dim=2)
    mixed = torch.einsum("bhij,bhjd->bhid", scores.softmax(-1), value)
    return layer.out_proj(mixed.permute(0, 2, 1, 3).reshape(batch, length, width))


def encode(model, ids, flat, length, layers, bias):
    """-> last hidden state after the final norm; `layers` counted from 0, ascending."""
    heads = model.encoder.layers[0].self_attn.num_heads
    prefix = dict(zip(layers, prefixes(flat, length, len(layers), heads)))
    states = model.embeddings(input_ids=ids)
    for number, layer in enumerate(model.encoder.layers):
        states = states + attention(layer.self_attn, layer.layer_norm1(states), prefix.get(number), bias)
        states = states + layer.mlp(layer.layer_norm2(states))
    return model.final_layer_norm(states)


def run(case, dtype):
    pipeline = Pipeline(case.model, dtype, [])
    depth = len(pipeline.text_encoder.encoder.layers)
    layers = sorted(number % depth for number in case.options["layers"])
    length, bias = case.options.get("prefix_length", 1), case.options.get("prefix_logit_bias", 1.0)
    flat = case.init[NAME].to(dtype).clone().requires_grad_(True)
    accumulation = case.settings.get("gradient_accumulation_steps", 1)
    optimizer, schedule = make_optimizer([flat], case.settings, learning_rate(case.settings, 5e-3, accumulation))
    outputs = {}
    for step in range(case.steps):
        ids = pipeline.tokenize(case.texts[f"batch.{step}.captions"])
        context = encode(pipeline.text_encoder, ids, flat, length, layers, bias)
        loss = pipeline.noise_loss(case.tensors, step, context)
        (loss / accumulation).backward()
        record(outputs, step, loss, {"mse": loss}, {NAME: flat.grad}, total_norm([flat.grad]))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return finish(outputs, {NAME: flat}), {"mse": 1.0}


def make(name, seed, texts, model="sd15", pixels=False, options=None, **settings):
    options = {"layers": [1, 2], **(options or {})}
    config = {"method": "catversion", "class_word": "man", "options": options,
              "stages": {"concat": {"scale_lr": True, "train_batch_size": len(texts[0]), **settings}}}
    tensors = draw_batches(seed, len(texts[0]), len(texts), pixels)
    generator = torch.Generator().manual_seed(seed + 1000)
    width = json.loads((MODELS / model / "text_encoder/config.json").read_text())["hidden_size"]
    size = options.get("prefix_length", 1) * 2 * len(options["layers"]) * width
    tensors[f"init.{NAME}"] = torch.randn(size, generator=generator)
    return Case(f"catversion_{name}", model, "concat", config, tensors, captions(*texts), len(texts))


def cases():
    pairs = [["man", "man"], ["man", "man"], ["man", "man"]]
    mixed = [["man", "a red dog"], ["time", "man"], ["man on the moon", "man"]]
    return [
        make("published", 51, pairs),
        make("two_entries", 52, mixed, options={"layers": [0, 2], "prefix_length": 2}),
        make("plain", 53, mixed, options={"prefix_logit_bias": 0.0, "prefix_length": 3}),
        make("from_the_end", 54, pairs, options={"layers": [-1, -3], "prefix_logit_bias": -0.5}, adam_weight_decay=0.5),
        make("v_prediction", 55, mixed, model="sd21"),
        make("pixel_values", 56, [["man"], ["man"]], pixels=True, learning_rate=0.05, scale_lr=False),
    ]


def check():
    """The layout's worked example, and the plain encoder where the prefix has no weight."""
    place = positions(1, 3, 12, 64)
    examples = [place[0, 0, 0, 0, 63], place[0, 1, 0, 0, 0], place[1, 0, 0, 3, 5], place[2, 1, 0, 11, 63]]
    assert examples == [63, 768, 1733, 4607]
    pipeline = Pipeline("sd15", torch.float64, [])
    ids = pipeline.tokenize(["a photo of a man", "two red dogs, 1999!"])
    flat = torch.randn(4 * 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = pipeline.text_encoder(ids).last_hidden_state
    torch.testing.assert_close(encode(pipeline.text_encoder, ids, flat, 1, [1, 2], -1e9), plain)
    assert (encode(pipeline.text_encoder, ids, flat, 1, [1, 2], 1.0) - plain).abs().max() > 1e-2
