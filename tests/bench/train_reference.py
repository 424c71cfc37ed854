#!/usr/bin/env python3
"""Times TextReg's second stage written with diffusers, transformers and PyTorch's optimizer: what the published script
does in a step, on a folder that make_models.py has made.

    python3 tests/bench/train_reference.py --model sd15-random --steps 5 --threads 2 --dtype bfloat16 [--cached-latents]

A step: latents (VAE encoder in the compute type, or a draw from a cached mean and deviation), noise, a caption, a class
prompt and an edit prompt through the text encoder, the UNet forward and backward with low-rank keys and values of rank
10, both text regularisers in float32, clipping, AdamW. As published, UNet and text encoder are float32 under autocast
and gradients reach the token table; --frozen bfloat16 loads the frozen modules in that type, --frozen-text keeps the
text encoder out of the backward pass. Prints one JSON line. Quote numbers from a quiet machine only, and bfloat16 only
from one whose processor has it: without, PyTorch's convolutions fall back to code many times slower than float32."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import contextlib  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel  # noqa: E402
from peft import LoraConfig  # noqa: E402
from reference_timing import seconds_since_process_start  # noqa: E402
from transformers import CLIPTextModel, CLIPTokenizer  # noqa: E402

RANK, ALPHA, BETA, ACCUMULATION, RATE = 10, 0.01, 0.01, 4, 4e-4
CAPTION, CLASS_PROMPT, EDIT_PROMPT = "a photo of a <krk1> cat", "a photo of a cat", "a <krk1> cat in the snow"
CLASS_LENGTH = 1  # tokens of "cat"


class Trainer:
    def __init__(self, arguments):
        self.arguments, self.dtype = arguments, getattr(torch, arguments.dtype)
        self.device = torch.device(arguments.device)
        frozen = getattr(torch, arguments.frozen)
        self.unet = self.load(UNet2DConditionModel, "unet", frozen)
        self.text_encoder = self.load(CLIPTextModel, "text_encoder", frozen)
        self.vae = None if arguments.cached_latents else self.load(AutoencoderKL, "vae", self.dtype)
        self.scheduler = DDPMScheduler.from_pretrained(arguments.model / "scheduler")
        self.scheduler.alphas_cumprod = self.scheduler.alphas_cumprod.to(self.device)
        self.prepare_texts()
        self.add_low_rank()

    def load(self, kind, component, dtype):
        model = kind.from_pretrained(self.arguments.model / component, torch_dtype=dtype)
        return model.to(self.device).eval().requires_grad_(False)

    def prepare_texts(self):
        tokenizer = CLIPTokenizer.from_pretrained(self.arguments.model / "tokenizer")
        assert tokenizer.add_tokens(["<krk1>"]) == 1
        self.placeholder = tokenizer.convert_tokens_to_ids("<krk1>")
        self.text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        self.text_encoder.get_input_embeddings().requires_grad_(not self.arguments.frozen_text)
        texts = (CAPTION, CLASS_PROMPT, EDIT_PROMPT)
        ids = tokenizer(list(texts), padding="max_length", max_length=77, return_tensors="pt").input_ids
        self.ids = dict(zip(texts, ids.to(self.device).split(1)))

    def add_low_rank(self):
        self.unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=r".*attn2\.to_[kv]"))
        self.updates = {name: (module.lora_A["default"], module.lora_B["default"])
                        for name, module in self.unet.named_modules() if hasattr(module, "lora_A")}
        assert len(self.updates) == 32
        self.parameters = [layer.weight for pair in self.updates.values() for layer in pair]
        for parameter in self.parameters:
            parameter.data = parameter.data.float()
        for down, _ in self.updates.values():
            torch.nn.init.normal_(down.weight, std=1 / RANK)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=RATE, weight_decay=1e-2)

    def autocast(self):
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def identifier_mask(self, ids):
        """[1, 1, 77, 77] of bool: only the class words read the placeholder, and it reads only itself."""
        position = ids[0].tolist().index(self.placeholder)
        mask = torch.ones(77, 77, dtype=torch.bool, device=self.device).tril()
        mask[position, :position] = False
        mask[position + CLASS_LENGTH + 1:, position] = False
        return mask[None, None]

    def encode(self, text):
        ids = self.ids[text]
        draws = bool((ids == self.placeholder).any()) and torch.rand(()).item() < 0.5
        with self.autocast():
            return self.text_encoder(ids, attention_mask=self.identifier_mask(ids) if draws else None)[0].float()

    def latents(self, example):
        if self.vae is None:
            mean, deviation = example
            return mean + deviation * torch.randn_like(mean)
        with torch.no_grad():
            posterior = self.vae.encode(example.to(self.dtype)).latent_dist
        return posterior.sample() * self.vae.config.scaling_factor

    def regulariser(self, states, ending):
        norms = [torch.linalg.vector_norm(up(down(states)), dim=(1, 2)).mean()
                 for name, (down, up) in self.updates.items() if name.endswith(ending)]
        return torch.stack(norms).mean()

    def step(self, example):
        latents = self.latents(example)
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, [len(latents)], device=self.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        context = self.encode(CAPTION)
        with self.autocast():
            prediction = self.unet(noisy, timesteps, context).sample
        loss = F.mse_loss(prediction.float(), noise.float())
        loss = loss + ALPHA * self.regulariser(self.encode(CLASS_PROMPT), ("to_k", "to_v"))
        loss = loss + BETA * self.regulariser(self.encode(EDIT_PROMPT), "to_k")
        (loss / ACCUMULATION).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def make_example(arguments):
    """One picture in [-1, 1], or the mean and deviation of its scaled latents."""
    if not arguments.cached_latents:
        return torch.rand(1, 3, arguments.size, arguments.size).mul(2).sub(1).to(arguments.device)
    shape = [1, 4, arguments.size // 8, arguments.size // 8]
    return torch.randn(shape).to(arguments.device), torch.full(shape, 0.05).to(arguments.device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--frozen", choices=["bfloat16", "float32"], default="float32")
    parser.add_argument("--frozen-text", action="store_true")
    parser.add_argument("--cached-latents", action="store_true")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    trainer, example = Trainer(arguments), make_example(arguments)
    seconds, losses, begun = [], [], seconds_since_process_start()
    for index in range(arguments.steps):
        start = time.perf_counter()
        losses.append(trainer.step(example))  # .item() waits for the device
        seconds.append(time.perf_counter() - start)
        if index == 0:
            first = seconds_since_process_start()
    print(json.dumps({
        **vars(arguments), "model": str(arguments.model), "seconds": seconds,
        "median_seconds": statistics.median(seconds[1:] or seconds),
        "start_to_first_step_seconds": begun, "start_to_end_of_first_step_seconds": first, "losses": losses,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **({"peak_device_bytes": torch.cuda.max_memory_allocated()} if arguments.device != "cpu" else {})}))


if __name__ == "__main__":
    main()
