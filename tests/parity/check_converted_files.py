"""Converts the LoRA and the token of tests/parity/artifacts with `atelier convert`, lets diffusers load what came out, and
compares its final latents with the stored ones and with those of `atelier sample`; then the reverse: files that diffusers
and PEFT save today, converted and sampled by us.

    python check_converted_files.py bin/atelier

Needs torch, diffusers, transformers, peft, safetensors. Prints one line a file; ends with an error when one differs.
"""

import pathlib
import subprocess
import sys
import tempfile

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

from make_artifact_reference import MODEL, OUT, load

TOLERANCE = 1e-4
LORAS = ("peft", "diffusers", "kohya", "cloneofsimo")
# What diffusers itself reads wrongly or not at all: cloneofsimo's files, kohya's files whose alphas differ by layer, and
# those of a text encoder without its out_proj.
TOKENS = (("learned_embeds", "token.safetensors"), ("learned_embeds-bin", "token.bin"), ("a1111", "token.pt"))


def atelier(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.PIPE)


def by_diffusers(lora, token, weight=0.7):
    pipe = load()
    pipe.load_lora_weights(str(lora.parent), weight_name=lora.name, adapter_name="a")
    pipe.set_adapters(["a"], [weight])
    pipe.load_textual_inversion(str(token.parent), weight_name=token.name)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe("a <cat-toy> photo", num_inference_steps=10, guidance_scale=3.0, latents=latents, output_type="latent",
                height=size, width=size).images


def by_atelier(program, lora, token, folder, weight=0.7):
    atelier(program, "sample", "--model", MODEL, "--prompt", "a <cat-toy> photo", "--steps", 10, "--guidance", 3, "--scheduler",
            "ddim", "--seed", 5, "--size", "64x64", "--threads", 1, "--out", folder / "pictures", "--latents-out",
            folder / "latents.safetensors", "--artifact", token, "--artifact", f"{lora}:{weight}")
    return load_file(folder / "latents.safetensors")["latents"]


def compare(name, found, wanted):
    difference = (found - wanted).abs().max().item()
    print(f"{name}: largest difference {difference:.2e}")
    assert difference < TOLERANCE, name


def ours_in_diffusers(program, folder):
    expected = load_file(OUT / "expected_latents.safetensors")["latents"]
    for dialect in ("peft", "diffusers"):
        for form, file in TOKENS:
            lora, token = folder / f"{dialect}.safetensors", folder / file
            atelier(program, "convert", OUT / "pytorch_lora_weights.safetensors", "--to", dialect, "--model", MODEL, "--out", lora)
            atelier(program, "convert", OUT / "learned_embeds.safetensors", "--to", form, "--out", token)
            compare(f"{dialect} with {form}, by diffusers", by_diffusers(lora, token), expected)


def saved_by_diffusers(folder, name, **patterns):
    """Layers of the UNet, saved with PEFT's metadata."""
    torch.manual_seed(8)
    pipe = load()
    pipe.unet.add_adapter(LoraConfig(r=4, lora_alpha=2, target_modules=["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj"],
                                     rank_pattern={"attn1.to_q": 3}, **patterns))
    for parameter, value in pipe.unet.named_parameters():
        if "lora_" in parameter:
            torch.nn.init.normal_(value, 0, 0.15)
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(pipe.unet), weight_name=name,
                                              unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict())
    return folder / name


def theirs_in_ours(program, folder):
    """Ranks, and in the first file alphas, that differ by layer."""
    token = OUT / "learned_embeds.safetensors"
    for name, patterns in (("mixed", {"alpha_pattern": {"attn2.to_v": 7}}), ("uniform", {})):
        source = saved_by_diffusers(folder, f"{name}.safetensors", **patterns)
        expected = by_diffusers(source, token)
        compare(f"{name}, as diffusers saved it, by atelier", by_atelier(program, source, token, folder), expected)
        for dialect in LORAS:
            lora = folder / f"{name}_{dialect}.safetensors"
            atelier(program, "convert", source, "--to", dialect, "--model", MODEL, "--out", lora)
            compare(f"{name} as {dialect}, by atelier", by_atelier(program, lora, token, folder), expected)
            if dialect in ("peft", "diffusers") or (dialect == "kohya" and name == "uniform"):
                compare(f"{name} as {dialect}, by diffusers", by_diffusers(lora, token), expected)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        ours_in_diffusers(sys.argv[1], pathlib.Path(name))
        theirs_in_ours(sys.argv[1], pathlib.Path(name))
