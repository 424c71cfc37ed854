"""Loads the LoRA and embedding files that our tests wrote into diffusers; `make_lora_references.py --check FOLDER`."""

import json

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file

from lora_truth import RANK, Truth, build, path_of, registered_as_of_old, walk


def check_pipeline_file(file, truth, pipeline):
    """load_lora_weights' parts, then scale · B · A of every layer against the truth."""
    models = build(truth.name)
    with open(file.with_suffix(".json")) as stream:
        alphas = json.load(stream)
    state, network_alphas, metadata = pipeline.lora_state_dict(str(file), unet_config=models["unet"].config,
                                                               return_lora_metadata=True)
    pipeline.load_lora_into_unet(state, network_alphas, models["unet"], metadata=metadata)
    for component in models:
        if component != "unet":
            pipeline.load_lora_into_text_encoder(state, network_alphas, models[component], prefix=component, metadata=metadata)
    seen = set()
    for component, model in models.items():
        for name, module in model.named_modules():
            if not getattr(module, "lora_A", None):
                continue
            key = (component, path_of(component, name))
            adapter = next(iter(module.lora_A))
            delta = module.get_delta_weight(adapter)
            rank = module.r[adapter]
            up, down = truth.matrix(key, 1, rank), truth.matrix(key, 0, rank)
            wanted = (up.flatten(1) @ down.flatten(1)).reshape(delta.shape) * alphas[".".join(key)] / rank
            assert torch.allclose(delta, wanted, atol=1e-5), (file.name, key, (delta - wanted).abs().max())
            seen.add(".".join(key))
    assert seen == set(alphas), (file.name, set(alphas) ^ seen)
    print(f"{file.name}: {len(seen)} layers as expected")


def check_cloneofsimo_file(file, truth):
    with open(file.with_suffix(".json")) as stream:
        alphas = json.load(stream)
    paths = walk(registered_as_of_old(build("sd")["unet"]), {"CrossAttention", "Attention", "GEGLU"})
    assert {f"unet.{p}" for p in paths} == set(alphas)
    tensors = load_file(file)
    for i, path in enumerate(paths):
        up, down = truth.matrix(("unet", path), 1) * alphas[f"unet.{path}"] / RANK, truth.matrix(("unet", path), 0)
        assert torch.equal(tensors[f"unet:{i}:up"], up.half()) and torch.equal(tensors[f"unet:{i}:down"], down.half()), path
    print(f"{file.name}: {len(paths)} layers as expected")


def check_embeddings(folder):
    assert torch.equal(load_file(folder / "learned_embeds.safetensors")["<cat-toy>"], torch.arange(24).reshape(2, 12) / 8)
    towers = load_file(folder / "two_towers.safetensors")
    assert {k: tuple(v.shape) for k, v in towers.items()} == {"clip_l": (2, 8), "clip_g": (2, 12)}
    print("embeddings: as expected")


def check(folder):
    for name, pipeline in (("sd", StableDiffusionPipeline), ("sdxl", StableDiffusionXLPipeline)):
        truth = Truth(name)
        for file in sorted(folder.glob(f"{name}_*.safetensors")):
            if "cloneofsimo" in file.name:
                check_cloneofsimo_file(file, truth)
            else:
                check_pipeline_file(file, truth, pipeline)
    check_embeddings(folder)
