#!/usr/bin/env python3
"""Do the files of a trained method, loaded by diffusers and PEFT as their users load them, draw what Atelier draws with the
same artifact?

    python3 tests/parity/check_tuned_files.py [--atelier build/release/bin/atelier] [CASE ...]

For each case a few steps are trained on a tiny model at a rate that changes it visibly, the authors' files are exported, and
10 steps of DDIM at guidance 3 from one noise are compared: with the artifact in Atelier, with the exported files in Atelier,
and with them in diffusers. Needs the packages of make_references.py and a build; no network."""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
from reference_check import load_vae  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS, PHOTOS = ROOT / "tests/parity/models", ROOT / "experiments/demo/concepts/cat"
STEPS, GUIDANCE, SEED, LIMIT = 10, 3.0, 5, 1e-4

LORA = ["rank=2", "resolution=64", "lora.learning_rate=0.02", "lora.max_train_steps=4", "train_text_encoder=true"]
TOKEN = ["learn_token=true", "placeholder_token=<x>", "initializer_token=man", "lora.token_lr=0.05"]
KV = ["resolution=64", "initializer_token=man", "kv.learning_rate=0.005", "kv.max_train_steps=4"]
CASES = {
    "lora_sd15": ("dreambooth_lora", "sd15", LORA, "a photo of sks man"),
    "lora_sd21_token_alpha": ("dreambooth_lora", "sd21", [*LORA, *TOKEN, "lora_alpha=3"], "a photo of <x> man"),
    "lora_sdxl": ("dreambooth_lora", "sdxl", LORA, "a photo of sks man"),
    "lora_sdxl_token": ("dreambooth_lora", "sdxl", [*LORA, *TOKEN], "a photo of <x> man"),
    "custom_sd15": ("custom_diffusion", "sd15", KV, "photo of a <new1> man"),
    "custom_sd15_bin": ("custom_diffusion", "sd15", [*KV, "freeze_model=crossattn"], "photo of a <new1> man"),
    "custom_sd21": ("custom_diffusion", "sd21", [*KV, "detach_start_token=true"], "photo of a <new1> man"),
}


class Atelier:
    def __init__(self, program, folder):
        self.program, self.folder, self.store = program, folder, folder / "store"

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def train(self, method, base, options):
        self.run("train", method, "--images", PHOTOS, "--class", "man", "--base", MODELS / base, "--set", *options,
                 "--out", self.folder / "trained", "--store", self.store)
        [status] = json.loads(self.run("status", "--json", "--store", self.store))
        study = status["study"]
        self.run("export", study, "--artifacts", "--form", "authors", "--out", self.folder / "files", "--store", self.store)
        [run] = (self.folder / "files").iterdir()
        return self.folder / "trained" / "artifact.safetensors", run

    def sample(self, base, prompt, artifacts, side):
        out = self.folder / "latents.safetensors"
        chosen = ["--artifact", *artifacts] if artifacts else []
        self.run("sample", "--model", MODELS / base, *chosen, "--prompt", prompt, "--steps", STEPS, "--guidance", GUIDANCE,
                 "--scheduler", "ddim", "--seed", SEED, "--size", f"{side}x{side}", "--threads", 1, "--out",
                 self.folder / "pictures", "--latents-out", out)
        return safetensors.torch.load_file(out)["latents"]


def load(base):
    kind = diffusers.StableDiffusionXLPipeline if base == "sdxl" else diffusers.StableDiffusionPipeline
    extra = {} if base == "sdxl" else {"safety_checker": None}
    pipe = kind.from_pretrained(MODELS / base, torch_dtype=torch.float32, vae=load_vae(MODELS / base / "vae"), **extra)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    return pipe


def add_files(pipe, method, files, binary):
    """As the README of each example loads them."""
    ending = ".bin" if binary else ".safetensors"
    if method == "dreambooth_lora":
        pipe.load_lora_weights(files, weight_name="pytorch_lora_weights.safetensors")
    else:
        # Without `_pipeline` diffusers 0.42 reads the file and sets nothing.
        pipe.unet.load_attn_procs(files, weight_name=f"pytorch_custom_diffusion_weights{ending}", _pipeline=pipe)
    for path in files.iterdir():
        if path.name.startswith("pytorch") or path.suffix != ending:
            continue
        tensors = torch.load(path) if binary else safetensors.torch.load_file(path)
        if "clip_g" in tensors:
            pipe.load_textual_inversion(tensors["clip_l"], token=path.stem, text_encoder=pipe.text_encoder,
                                        tokenizer=pipe.tokenizer)
            pipe.load_textual_inversion(tensors["clip_g"], token=path.stem, text_encoder=pipe.text_encoder_2,
                                        tokenizer=pipe.tokenizer_2)
        else:
            pipe.load_textual_inversion(path)


def draw(pipe, prompt):
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(SEED))
    side = 8 * pipe.vae_scale_factor
    return pipe(prompt, num_inference_steps=STEPS, guidance_scale=GUIDANCE, latents=latents, output_type="latent", height=side,
                width=side).images


def deviation(actual, expected):
    return ((actual - expected).abs().max() / expected.pow(2).mean().sqrt()).item()


def check(name, program):
    method, base, options, prompt = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        atelier = Atelier(program, pathlib.Path(folder))
        artifact, files = atelier.train(method, base, options)
        pipe = load(base)
        side = 8 * pipe.vae_scale_factor
        plain = atelier.sample(base, prompt.replace("<x>", "sks").replace("<new1>", "sks"), [], side)
        own = atelier.sample(base, prompt, [artifact], side)
        sources = [files] if method == "custom_diffusion" else [path for path in files.iterdir()]
        read = atelier.sample(base, prompt, sources, side)
        add_files(pipe, method, files, name.endswith("_bin"))
        theirs = draw(pipe, prompt)
    changed, files_apart, apart = deviation(plain, own), deviation(read, own), deviation(theirs, own)
    print(f"{name}: trained against base {changed:.2e}; files read again {files_apart:.1e}; diffusers {apart:.1e}")
    assert changed > 100 * LIMIT and files_apart < LIMIT and apart < LIMIT, name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {', '.join(CASES)}")
    parser.add_argument("--atelier", default=ROOT / "build/release/bin/atelier", help="the built command")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    for name in arguments.cases or CASES:
        check(name, arguments.atelier)


if __name__ == "__main__":
    main()
