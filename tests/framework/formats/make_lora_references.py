#!/usr/bin/env python3
"""Makes lora/: LoRA and embedding files as other programs write them, on models of a few kilobytes.

    python3 make_lora_references.py            writes the folder beside this script
    python3 make_lora_references.py --check F  loads the files of folder F, which our tests wrote, into diffusers and PEFT

Needs torch, diffusers, transformers, peft and safetensors; made with torch 2.11, diffusers 0.42.1, transformers 5.23 and
peft 0.21.2. Files that these write are marked "saved by" below, the others follow the description of their format.

Every matrix follows a formula, so that no expected values need to be stored: element i of the down (half 0) or up
(half 1) matrix of layer n is ((5 i + 3 n + 7 half) mod 17 - 8) / 16, where n counts all linear and convolution layers of
the target, sorted by component and path. `expected.json` lists the targets' layers and what each file holds.
"""

import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.training_utils import _collate_lora_metadata
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from lora_check import check
from lora_truth import RANK, Truth, build, path_of, registered_as_of_old, walk

OUT = Path(__file__).parent / "lora"


ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")


# ---- what the files hold ---------------------------------------------------------------------------------------------

EXPECTED = {"targets": {}, "files": {}}


def expect(file, truth, keys, dialect, ranks=None, alphas=None):
    """Layers of a file with [rank, alpha] (default: alpha is the rank)."""
    entries = {}
    for key in keys:
        rank = (ranks or {}).get(key, RANK)
        entries[".".join(key)] = [rank, (alphas or {}).get(key, rank)]
    EXPECTED["files"][file] = {"target": truth.name, "dialect": dialect, "entries": entries}


def save(tensors, name, metadata=None):
    (OUT / name).parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, OUT / name, metadata={"format": "pt", **(metadata or {})})


def peft_models(truth, endings, text_endings, rank_pattern, alpha_pattern, alpha):
    """The target's models with PEFT layers that hold the truth."""
    models = build(truth.name)
    adapted = {}
    for component, model in models.items():
        targets = list(endings if component == "unet" else text_endings)
        if not targets:
            continue
        model.add_adapter(LoraConfig(r=RANK, lora_alpha=alpha, target_modules=targets, rank_pattern=rank_pattern,
                                     alpha_pattern=alpha_pattern))
        for name, module in model.named_modules():
            if hasattr(module, "lora_A"):
                key = (component, path_of(component, name))
                rank = module.r["default"]
                module.lora_A["default"].weight.data = truth.matrix(key, 0, rank)
                module.lora_B["default"].weight.data = truth.matrix(key, 1, rank)
        adapted[component] = model
    return adapted


def diffusers_files(truth):
    """Saved by diffusers' save_lora_weights: PEFT naming with metadata, the renamed attention layers of the training
    scripts, the same as .bin."""
    endings, text = ATTENTION + ("ff.net.0.proj", "down_blocks.0.resnets.0.conv1", "proj_in"), TEXT + ("fc1",)
    odd = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q")
    models = peft_models(truth, endings, text, {odd[1]: 3}, {"attn2.to_v": 5, odd[1]: 6}, 1)
    keys = truth.pick(*endings, component="unet") + truth.pick(*text, component="text_encoder")
    alphas = {k: 6 if k == odd else 5 if k[1].endswith("attn2.to_v") else 1 for k in keys}
    states = {component: get_peft_model_state_dict(model) for component, model in models.items()}
    StableDiffusionPipeline.save_lora_weights(
        OUT, unet_lora_layers=states["unet"], text_encoder_lora_layers=states["text_encoder"],
        weight_name="peft.safetensors", **_collate_lora_metadata(models))
    expect("peft.safetensors", truth, keys, "peft", {odd: 3}, alphas)

    # What train_dreambooth_lora.py wrote before the metadata: alpha is the rank.
    models = peft_models(truth, ATTENTION, TEXT, {}, {}, RANK)
    keys = truth.pick(*ATTENTION, component="unet") + truth.pick(*TEXT, component="text_encoder")
    states = {c: convert_state_dict_to_diffusers(get_peft_model_state_dict(m)) for c, m in models.items()}
    # in the text encoder's own names of before transformers 5
    text_state = {"text_model." + k: v for k, v in states["text_encoder"].items()}
    StableDiffusionPipeline.save_lora_weights(OUT, unet_lora_layers=states["unet"], text_encoder_lora_layers=text_state,
                                              weight_name="scripts.safetensors")
    expect("scripts.safetensors", truth, keys, "diffusers")
    StableDiffusionPipeline.save_lora_weights(OUT, text_encoder_lora_layers=text_state, weight_name="scripts.bin",
                                              safe_serialization=False)
    expect("scripts.bin", truth, truth.pick(*TEXT, component="text_encoder"), "diffusers")


def processor_name(path):
    for layer, name in (("to_out.0", "to_out"), ("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"),
                        ("out_proj", "to_out")):
        if path.endswith(layer):
            path = path[:-len(layer)] + name
            break
    stem, leaf = path.rsplit(".", 1)
    return stem + ("." if "self_attn" in path else ".processor.") + leaf + "_lora"


def files_of_2023(truth):
    """Attention processors; with an alpha; and UNet only, without a component."""
    unet = truth.pick(*ATTENTION, component="unet")
    text = truth.pick(*TEXT, component="text_encoder")
    halves = (("down", 0), ("up", 1))
    tensors = {f"{c}.{processor_name(p)}.{half}.weight": truth.matrix((c, p), n) for c, p in unet + text for half, n in halves}
    tensors[f"unet.{unet[0][1]}.alpha"] = torch.tensor(7.0)
    save(tensors, "processors.safetensors")
    expect("processors.safetensors", truth, unet + text, "diffusers 2023", alphas={unet[0]: 7})
    unet = truth.pick("attn2.to_q", "attn2.to_out.0", component="unet")
    save({f"{processor_name(p)}.{half}.weight": truth.matrix((c, p), n) for c, p in unet for half, n in halves},
         "processors_unet_only.safetensors")
    expect("processors_unet_only.safetensors", truth, unet, "diffusers 2023")


def peft_folders(truth):
    """Saved by PEFT's save_pretrained."""
    for component, targets, rslora in (("unet", ("attn2.to_k", "attn2.to_v"), True), ("text_encoder", TEXT, False)):
        config = LoraConfig(r=RANK, lora_alpha=4, target_modules=list(targets), use_rslora=rslora,
                            alpha_pattern={"layers.1.self_attn.q_proj": 8})
        model = get_peft_model(build(truth.name)[component], config)
        for name, module in model.base_model.model.named_modules():
            if hasattr(module, "lora_A"):
                key = (component, path_of(component, name))
                module.lora_A["default"].weight.data = truth.matrix(key, 0)
                module.lora_B["default"].weight.data = truth.matrix(key, 1)
        folder = OUT / "peft_folder" / component
        with tempfile.TemporaryDirectory() as scratch:
            model.save_pretrained(scratch)
            folder.mkdir(parents=True)
            for name in ("adapter_config.json", "adapter_model.safetensors"):
                shutil.copy(Path(scratch) / name, folder / name)
        keys = truth.pick(*targets, component=component)
        alphas = {k: 8 if k[1].endswith("layers.1.self_attn.q_proj") else 4 * (math.sqrt(RANK) if rslora else 1)
                  for k in keys}
        expect(f"peft_folder/{component}", truth, keys, "peft", alphas=alphas)


# ---- kohya -----------------------------------------------------------------------------------------------------------

def kohya(truth, keys, name_of):
    tensors = {}
    for n, key in enumerate(keys):
        name = name_of(*key)
        tensors[name + ".lora_down.weight"] = truth.matrix(key, 0)
        tensors[name + ".lora_up.weight"] = truth.matrix(key, 1)
        if n % 3 != 1:  # missing in every third: the rank; 0 in another third: the rank as well
            tensors[name + ".alpha"] = torch.tensor(0.5 if n % 3 == 0 else 0.0)
    return tensors, {key: 0.5 for n, key in enumerate(keys) if n % 3 == 0}


def sgm_name(path, layers=2):
    """The original model's name of a UNet layer, from the table of single-file checkpoints."""
    top = {"conv_in": "input_blocks.0.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
           "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
           "add_embedding.linear_2": "label_emb.0.2"}
    if path in top:
        return top[path]
    p = path.split(".")
    leaf = {"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
            "conv_shortcut": "skip_connection"}.get(p[-1], p[-1])
    if p[0] == "mid_block":
        if p[1] == "attentions":
            return ".".join(["middle_block.1"] + p[3:])
        return f"middle_block.{2 * int(p[2])}.{leaf}"
    block, kind, index = int(p[1]), p[2], int(p[3])
    if p[0] == "down_blocks":
        if kind == "downsamplers":
            return f"input_blocks.{(layers + 1) * (block + 1)}.0.op"
        number = 1 + (layers + 1) * block + index
        return f"input_blocks.{number}." + ("0." + leaf if kind == "resnets" else "1." + ".".join(p[4:]))
    if kind == "upsamplers":
        return f"output_blocks.{(layers + 1) * block + layers}.2.conv"
    number = (layers + 1) * block + index
    return f"output_blocks.{number}." + ("0." + leaf if kind == "resnets" else "1." + ".".join(p[4:]))


def kohya_name(component, path, sgm, towers):
    prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_" if towers else "lora_te_", "text_encoder_2": "lora_te2_"}
    return prefix[component] + (sgm_name(path) if sgm and component == "unet" else path).replace(".", "_")


def kohya_files(sd, sdxl):
    keys = sd.pick("to_k", "to_out.0", "ff.net.2", "proj_out", component="unet")
    keys += sd.pick(*TEXT, "fc2", component="text_encoder")
    tensors, alphas = kohya(sd, keys, lambda c, p: kohya_name(c, p, False, False))
    save(tensors, "kohya_sd.safetensors", {"ss_network_module": "networks.lora"})
    expect("kohya_sd.safetensors", sd, keys, "kohya", alphas=alphas)

    extra = ("attentions.1.transformer_blocks.1.attn2.to_k", "attentions.1.proj_in", "downsamplers.0.conv",
             "upsamplers.0.conv", "resnets.1.conv1", "resnets.0.conv_shortcut", "resnets.1.time_emb_proj",
             "linear_1", "linear_2", "conv_in", "conv_out", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj")
    unet = sdxl.pick(*extra, component="unet")
    text = sdxl.pick("q_proj", component="text_encoder") + sdxl.pick("fc1", "text_projection", component="text_encoder_2")
    tensors, alphas = kohya(sdxl, unet + text, lambda c, p: kohya_name(c, p, True, True))
    save(tensors, "kohya_sdxl.safetensors")
    expect("kohya_sdxl.safetensors", sdxl, unet + text, "kohya sgm", alphas=alphas)
    assert_diffusers_reads(OUT / "kohya_sdxl.safetensors", sdxl, unet + text)

    # Diffusers names, saved by convert_state_dict_to_kohya, with sgm names of other layers beside them.
    keys = sdxl.pick("0.attn1.to_q", component="unet") + sdxl.pick("v_proj")
    state = {f"{c}.{p}.lora_{'AB'[half]}.weight": sdxl.matrix((c, p), half) for c, p in keys for half in (0, 1)}
    tensors = convert_state_dict_to_kohya(state)
    dropped, _ = kohya(sdxl, sdxl.pick("1.attn1.to_v", component="unet"), lambda c, p: kohya_name(c, p, True, True))
    save({**tensors, **dropped}, "kohya_both.safetensors")
    expect("kohya_both.safetensors", sdxl, keys, "kohya")
    EXPECTED["files"]["kohya_both.safetensors"]["ignored"] = sorted(dropped)


def assert_diffusers_reads(file, truth, keys):
    """diffusers' own conversion gives these layers the matrices of the truth."""
    unet = build(truth.name)["unet"]
    state, _ = StableDiffusionXLPipeline.lora_state_dict(str(file), unet_config=unet.config)
    norm = {k.replace(".processor.", ".").replace("to_out_lora", "to_out.0_lora").replace("_lora.", ".lora.")
            .replace(".lora_linear_layer.", ".lora."): v for k, v in state.items()}
    for component, path in keys:
        text = path.replace("q_proj", "to_q")
        found = [norm.get(f"{component}.{p}.lora.down.weight") for p in (path, text)]
        found = next(v for v in found if v is not None)
        assert torch.equal(found, truth.matrix((component, path), 0)), (component, path)


# ---- cloneofsimo -----------------------------------------------------------------------------------------------------

def cloneofsimo(truth, component, paths):
    tensors, metadata = {}, {}
    for i, path in enumerate(paths):
        tensors[f"{component}:{i}:up"] = truth.matrix((component, path), 1).half()
        tensors[f"{component}:{i}:down"] = truth.matrix((component, path), 0).half()
        metadata[f"{component}:{i}:rank"] = str(RANK)
    return tensors, metadata


def cloneofsimo_files(truth):
    text_paths = [path_of("text_encoder", p) for p in walk(build("sd")["text_encoder"], {"CLIPAttention"})]
    text, text_metadata = cloneofsimo(truth, "text_encoder", text_paths)
    text_metadata["text_encoder"] = '["CLIPAttention"]'
    text_keys = [("text_encoder", p) for p in text_paths]
    defaults = ["CrossAttention", "Attention", "GEGLU"]
    for name, old, classes in (("default", True, defaults), ("today", False, defaults),
                               ("extended", True, defaults + ["ResnetBlock2D"])):
        model = build("sd")["unet"]
        model = registered_as_of_old(model) if old else model
        kinds = (torch.nn.Linear, torch.nn.Conv2d) if name == "extended" else (torch.nn.Linear,)
        paths = walk(model, classes, kinds)
        tensors, metadata = cloneofsimo(truth, "unet", paths)
        file = f"cloneofsimo_{name}.safetensors"
        save(tensors, file, {**metadata, "unet": json.dumps(classes)})
        expect(file, truth, [("unet", p) for p in paths], "cloneofsimo")
        if name == "default":
            for component, p in (("unet", paths), ("text_encoder", text_paths)):
                flat = [truth.matrix((component, path), half).half() for path in p for half in (1, 0)]
                file = "list.pt" if component == "unet" else "list.text_encoder.pt"
                torch.save(flat, OUT / file)
                expect(file, truth, [(component, path) for path in p], "cloneofsimo")
            torch.save({"<krk1>": torch.arange(12) / 8}, OUT / "list.ti.pt")

    # TextReg: key and value of the second attention only, and a learned token.
    paths = [p for p in walk(build("sd")["unet"], {"BasicTransformerBlock"}) if p.endswith(("attn2.to_k", "attn2.to_v"))]
    tensors, metadata = cloneofsimo(truth, "unet", paths)
    metadata.update(text_metadata, unet='["BasicTransformerBlock"]')
    save({**tensors, **text, "<krk1>": torch.arange(12).reshape(1, 12) / 8}, "textreg.safetensors",
         {**metadata, "<krk1>": "<embed>"})
    expect("textreg.safetensors", truth, [("unet", p) for p in paths] + text_keys, "cloneofsimo")


# ---- other adapters, embeddings --------------------------------------------------------------------------------------

def refused_files(truth):
    key = truth.pick("attn1.to_q", component="unet")[0]
    down, up = truth.matrix(key, 0), truth.matrix(key, 1)
    stem, name = ".".join(key), kohya_name(*key, False, False)
    pair = {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
    kohya_pair = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    save({**pair, f"{stem}.lora_magnitude_vector": torch.ones(8)}, "refused/dora_peft.safetensors")
    save({**kohya_pair, f"{name}.dora_scale": torch.ones(8, 1)}, "refused/dora_kohya.safetensors")
    save({**kohya_pair, f"{name}.lora_mid.weight": torch.ones(2, 2, 3, 3)}, "refused/tucker.safetensors")
    save({f"{name}.hada_w1_a": up, f"{name}.hada_w1_b": down, f"{name}.alpha": torch.tensor(1.0)}, "refused/loha.safetensors")
    save({f"{name}.lokr_w1": torch.ones(2, 2), f"{name}.lokr_w2": torch.ones(4, 4)}, "refused/lokr.safetensors")


def embedding_files():
    one, two = torch.arange(12) / 8, torch.arange(24).reshape(2, 12) / 8
    folder = OUT / "embeddings"
    folder.mkdir(parents=True)
    save({"<cat-toy>": one}, "embeddings/learned_embeds.safetensors")
    torch.save({"<cat-toy>": two}, folder / "learned_embeds.bin")
    torch.save({"<new>": one, "<new>_1": one + 1}, folder / "learned_embeds_steps_60.bin")
    torch.save(two, folder / "bare.pt")
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": {"*": two.clone().requires_grad_()},
                "name": "my-cat", "step": 499, "sd_checkpoint": "0123abcd", "sd_checkpoint_name": "model"}, folder / "webui.pt")
    torch.save({"string_to_token": {"<sks>": torch.tensor(265)}, "string_to_param": {"<sks>": two}}, folder / "named.pt")
    save({"emb_params": two}, "embeddings/ink_style.safetensors")
    torch.save({"string_to_token": {"*": torch.tensor(265)},
                "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(two.clone())})}, folder / "original.pt")
    save({"clip_l": two[:, :8].half(), "clip_g": two.half()}, "embeddings/my_dog.safetensors")
    save({"text_encoders_0": two[:, :8], "text_encoders_1": two}, "embeddings/old_trainer.safetensors")
    save({"a.processor.to_k_custom_diffusion.weight": torch.ones(2, 2)},
         "refused/pytorch_custom_diffusion_weights.safetensors")
    torch.save({"unet": {"a.attn2.to_k.weight": torch.ones(2, 2)}, "modifier_token": {"<new1>": one}}, OUT / "refused/delta.bin")
    torch.save({"state_dict": {"a.attn2.to_k.weight": torch.ones(2, 2)}, "embed": {"<new1>": one}}, OUT / "refused/delta.ckpt")
    (OUT / "refused/catversion").mkdir()
    (OUT / "refused/catversion/adapter_config.json").write_text(json.dumps({"config": {"architecture": "prefix_tuning"}}))
    torch.save({"prefix_tuning.prefix_tunings.p.self_prefix.control_trans": torch.ones(4)},
               OUT / "refused/catversion/pytorch_adapter.bin")


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        return check(Path(sys.argv[2]))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    sd, sdxl = Truth("sd"), Truth("sdxl")
    for truth in (sd, sdxl):
        target = EXPECTED["targets"].setdefault(truth.name, {})
        for (component, path), shape in truth.layers.items():
            target.setdefault(component, {})[path] = shape
    EXPECTED["walk"] = [p for c, p in sd.layers if c == "unet"]  # modules() of today's diffusers
    diffusers_files(sd)
    files_of_2023(sd)
    peft_folders(sd)
    kohya_files(sd, sdxl)
    cloneofsimo_files(sd)
    refused_files(sd)
    embedding_files()
    (OUT / "expected.json").write_text(json.dumps(EXPECTED, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
