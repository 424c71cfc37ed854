"""Tuned weights of the UNet and the text encoder, applied by diffusers to the sd21-like model: what `atelier sample
--artifact` with an artifact of DreamBooth must match.

The weights are those of the model times 1.05 or 0.95, by a sign that depends on the element's place (reference_sketch.py),
so that no file has to hold them. Writes tests/parity/artifacts/expected_tuned_latents.safetensors: the final latents of a
10-step DDIM walk with guidance 3 and seed 5. Needs torch, diffusers, transformers, safetensors.
"""

import pathlib

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def factors(count):
    hashes = (np.arange(count, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
    return torch.from_numpy(np.where((hashes >> 28) & 1, 0.95, 1.05).astype(np.float32))


def tuned():
    pipe = StableDiffusionPipeline.from_pretrained(HERE / "models" / "sd21", safety_checker=None,
                                                   torch_dtype=torch.float32)
    with torch.no_grad():
        for module in (pipe.unet, pipe.text_encoder):
            for value in module.parameters():
                value.mul_(factors(value.numel()).view_as(value))
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    return pipe


def sample(pipe):
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe("a photo of sks man", num_inference_steps=10, guidance_scale=3.0, latents=latents, output_type="latent",
                height=size, width=size).images


if __name__ == "__main__":
    torch.set_num_threads(1)
    save_file({"latents": sample(tuned())}, HERE / "artifacts" / "expected_tuned_latents.safetensors", {"format": "pt"})
