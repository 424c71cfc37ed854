"""A picture with CatVersion's adapter, written as the authors' program leaves it, and guided as theirs does: the
conditional branch with the prefix, the unconditional one of the plain encoder."""

import json

import diffusers
import torch
from reference_files import MODELS, write_tensors
from reference_methods_catversion import encode
from reference_methods_model import Pipeline

STEPS, GUIDANCE, PROMPT, LAYERS = 20, 10.0, "man on the moon", [1, 2]
LAYER = "text_model.encoder.layers.{}.self_attn.prefix_tuning.pool."
PREFIX = "prefix_tunings.prefix_tuning1.clip_text_model_self_prefix.control_trans"
CONFIG = {"config": {"architecture": "prefix_tuning", "bottleneck_size": 512, "cross_prefix": True, "dropout": 0.0,
                     "encoder_prefix": True, "flat": True, "leave_out": [], "non_linearity": "tanh", "prefix_length": 2,
                     "shared_gating": True, "use_gating": False},
          "hidden_size": 32, "model_class": "CLIPTextModel", "model_name": None, "model_type": "clip_text_model",
          "name": "prefix_tuning1", "version": "3.2.1"}


def write_adapter(folder, flat):
    folder.mkdir(parents=True, exist_ok=True)
    keys = [LAYER.format(layer) + PREFIX for layer in LAYERS] + ["prefix_tuning." + PREFIX]
    torch.save({key: flat for key in keys}, folder / "pytorch_adapter.bin")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG, indent=2, sort_keys=True))


@torch.no_grad()
def sample(flat, latents, dtype):
    pipeline = Pipeline("sd15", dtype, [])
    scheduler = diffusers.DDIMScheduler.from_config(diffusers.DDPMScheduler.load_config(MODELS / "sd15/scheduler"))
    scheduler.set_timesteps(STEPS)
    plain = pipeline.text_encoder(pipeline.tokenize([""])).last_hidden_state
    edited = encode(pipeline.text_encoder, pipeline.tokenize([PROMPT]), flat.to(dtype), 2, LAYERS, 1.0)
    latents = latents.to(torch.float64)
    for timestep in scheduler.timesteps:
        both = pipeline.unet(latents.to(dtype).repeat(2, 1, 1, 1), timestep, torch.cat([plain, edited])).sample.double()
        guided = both[:1] + GUIDANCE * (both[1:] - both[:1])
        latents = scheduler.step(guided, timestep, latents).prev_sample
    return latents


def write(folder):
    generator = torch.Generator().manual_seed(77)
    flat = torch.randn(2 * 2 * len(LAYERS) * 32, generator=generator)
    latents = torch.randn([1, 4, 8, 8], generator=generator)
    write_adapter(folder / "adapter_gs-999", flat)
    final, exact = (sample(flat, latents, dtype) for dtype in (torch.float32, torch.float64))
    error = ((final - exact).abs().max() / exact.pow(2).mean().sqrt()).item()
    print(f"catversion: float32 against float64 {error:.1e}")
    assert error < 2e-5, "too sensitive to rounding to be a reference"
    write_tensors(folder / "in.safetensors", {"latents": latents})
    write_tensors(folder / "out.safetensors", {"latents": exact.float()},
                  {"prompt": PROMPT, "steps": STEPS, "guidance": GUIDANCE, "scheduler": "ddim"})
