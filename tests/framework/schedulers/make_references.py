#!/usr/bin/env python3
"""Walks the schedulers of diffusers 0.42.1 over fixed model outputs and stores every sample.

    python3 make_references.py             writes references.safetensors beside this file
    python3 make_references.py --golden    prints the toy walks of golden.tests.cpp

Needs torch 2.11, diffusers 0.42.1, numpy, safetensors. The file holds `noise_pred`, `step_noise` [51, 1, 4, 2, 2] and
`start` [1, 4, 2, 2], shared by all walks; for walk K `K.timesteps` [calls], `K.sigmas` where there are some, `K.draws`
[calls] (1 where the scheduler drew noise) and `K.samples` [calls + 1, 1, 4, 2, 2]; and in the metadata `walks`: a JSON
object {K: {"scheduler", "config", "overrides", "steps"}}. `config` stands for a scheduler_config.json.
"""

import json
import os
import sys

import numpy as np
import torch
import diffusers
from safetensors.torch import save_file

SCALED = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
CONFIGS = {
    "sd15": {**SCALED, "_class_name": "PNDMScheduler", "clip_sample": False, "set_alpha_to_one": False,
             "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None},
    "sd21": {**SCALED, "_class_name": "DDIMScheduler", "clip_sample": False, "set_alpha_to_one": False,
             "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "prediction_type": "v_prediction"},
    "sdxl": {**SCALED, "_class_name": "EulerDiscreteScheduler", "clip_sample": False, "interpolation_type": "linear",
             "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True,
             "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": None, "use_karras_sigmas": False},
    "zero_snr": {**SCALED, "_class_name": "DDIMScheduler", "clip_sample": False, "prediction_type": "v_prediction",
                 "rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "set_alpha_to_one": True,
                 "skip_prk_steps": True},
    "defaults": {"skip_prk_steps": True},
    "cosine": {"_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2", "skip_prk_steps": True},
}
CLASSES = {
    "ddim": diffusers.DDIMScheduler, "ddpm": diffusers.DDPMScheduler, "pndm": diffusers.PNDMScheduler,
    "euler": diffusers.EulerDiscreteScheduler, "euler_ancestral": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler, "dpmpp_2m_karras": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler, "lcm": diffusers.LCMScheduler,
}
SPACINGS = [{"timestep_spacing": spacing} for spacing in ("leading", "linspace", "trailing")]
SAMPLE = {"prediction_type": "sample"}
V = {"prediction_type": "v_prediction"}
KARRAS = {"use_karras_sigmas": True}
SIGMA_MIN = {"final_sigmas_type": "sigma_min"}
ORDERS = [{"solver_order": order} for order in (1, 3)]
SDE = {"algorithm_type": "sde-dpmsolver++"}

# scheduler -> (config, overrides, steps)
WALKS = {
    "ddim": [*(("sd15", {}, n) for n in (1, 2, 5, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20), ("zero_snr", {}, 20),
             *(("sd15", s, 7) for s in SPACINGS), ("defaults", {}, 10), ("cosine", {"clip_sample_range": 2.0}, 10),
             ("sd15", SAMPLE, 10), ("sd15", {"eta": 1.0}, 10), ("sd21", {"eta": 0.5}, 10),
             ("sd15", {"set_alpha_to_one": True}, 5)],
    "ddpm": [*(("sd15", {}, n) for n in (1, 2, 5, 50)), ("sd21", {}, 20), ("zero_snr", {}, 10), ("sd15", SAMPLE, 10),
             *(("sd15", s, 7) for s in SPACINGS), ("defaults", {}, 10), ("cosine", {}, 10),
             *(("sd15", {"variance_type": v}, 10) for v in ("fixed_small_log", "fixed_large"))],
    "pndm": [*(("sd15", {}, n) for n in (1, 2, 3, 5, 20, 49)), ("sd21", {}, 20), ("sdxl", {}, 20),
             *(("sd15", s, 7) for s in SPACINGS), ("defaults", {}, 10), ("sd15", {"set_alpha_to_one": True}, 5),
             *((config, {"skip_prk_steps": False}, n) for config in ("sd15", "sd21") for n in (4, 5, 20))],
    "euler": [*(("sd15", {}, n) for n in (1, 2, 5, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20), ("zero_snr", {}, 20),
              *(("sd15", s, 7) for s in SPACINGS), ("sdxl", KARRAS, 20), ("sd21", KARRAS, 1), ("sd15", SIGMA_MIN, 10),
              ("sd15", SAMPLE, 10), ("defaults", {}, 10), ("sd15", {**KARRAS, "sigma_min": 0.1, "sigma_max": 10.0}, 8)],
    "euler_ancestral": [*(("sd15", {}, n) for n in (1, 2, 5, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20),
                        *(("sd15", s, 7) for s in SPACINGS), ("zero_snr", {}, 20), ("defaults", {}, 10)],
    "dpmpp_2m": [*(("sd15", {}, n) for n in (1, 2, 5, 14, 15, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20),
                 ("zero_snr", {}, 20), *(("sd15", s, 7) for s in SPACINGS), *(("sd15", SIGMA_MIN, n) for n in (5, 50)),
                 ("sd15", {**SIGMA_MIN, "euler_at_final": True}, 20),
                 ("sd15", {**SIGMA_MIN, "lower_order_final": False}, 5), ("sd15", SAMPLE, 10),
                 *(("sd15", o, n) for o in ORDERS for n in (5, 20)), ("sd15", {"solver_type": "heun"}, 20),
                 ("sd21", {"solver_type": "heun", **SDE}, 20), ("sd15", SDE, 20),
                 ("sd15", {**SDE, "solver_order": 3}, 20),
                 ("defaults", {}, 10), ("cosine", {"lambda_min_clipped": -5.1}, 10)],
    "dpmpp_2m_karras": [*(("sd15", {}, n) for n in (1, 2, 5, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20),
                        ("sd15", SIGMA_MIN, 20), ("cosine", {"lambda_min_clipped": -5.1}, 10), ("sd15", SDE, 10)],
    "unipc": [*(("sd15", {}, n) for n in (1, 2, 3, 5, 20, 50)), ("sd21", {}, 20), ("sdxl", {}, 20),
              ("zero_snr", {}, 20), *(("sd15", s, 7) for s in SPACINGS),
              *(("sd15", o, n) for o in ORDERS for n in (5, 20)),
              ("sd15", {"solver_type": "bh1", **SIGMA_MIN}, 10), ("sd15", {"disable_corrector": [0, 3]}, 10),
              ("sd15", {"predict_x0": False, **SIGMA_MIN}, 10), ("sd15", {"lower_order_final": False, **SIGMA_MIN}, 10),
              ("sd15", SAMPLE, 10), ("sd15", KARRAS, 20), ("sd15", {**KARRAS, **SIGMA_MIN}, 10), ("defaults", {}, 10)],
    "lcm": [*(("sd15", {}, n) for n in (1, 2, 4, 8, 50)), ("sd21", {}, 4), ("zero_snr", {}, 4), ("sd15", SAMPLE, 4),
            ("sd15", {"original_inference_steps": 100}, 7), ("sd15", {"timestep_scaling": 1.0}, 4),
            ("defaults", {"clip_sample": True}, 4)],
}


def build(name, config, overrides):
    config = {**config, **overrides}
    config.pop("eta", None)  # an argument of step there, a key here
    if name == "dpmpp_2m_karras":
        config["use_karras_sigmas"] = True
    return CLASSES[name].from_config(config)


class Noise:
    """Stands in for randn_tensor: hands out the given noise and remembers that it was asked."""

    def __init__(self, scheduler, give):
        self.module = sys.modules[type(scheduler).__module__]
        self.give = give
        self.asked = False

    def __call__(self, shape, **kwargs):
        self.asked = True
        return self.give(shape)

    def __enter__(self):
        self.before = getattr(self.module, "randn_tensor", None)
        self.module.randn_tensor = self
        return self

    def __exit__(self, *error):
        self.module.randn_tensor = self.before


def step(scheduler, output, t, x, eta, give):
    extra = {"eta": eta} if isinstance(scheduler, diffusers.DDIMScheduler) else {}
    with Noise(scheduler, give) as noise:
        x = scheduler.step(output, t, x, **extra).prev_sample
    return x, noise.asked


def start_walk(scheduler, steps):
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # by position: Karras timesteps can repeat


def walk(name, config, overrides, steps, data):
    scheduler = build(name, config, overrides)
    start_walk(scheduler, steps)
    x = data["start"] * scheduler.init_noise_sigma
    samples, draws = [x], []
    for i, t in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(x, t)
        give = lambda _: data["step_noise"][i]
        x, asked = step(scheduler, data["noise_pred"][i], t, x, overrides.get("eta", 0.0), give)
        samples.append(x)
        draws.append(int(asked))
    result = {"timesteps": scheduler.timesteps.double(), "samples": torch.stack(samples),
              "draws": torch.tensor(draws, dtype=torch.int64)}
    if hasattr(scheduler, "sigmas"):
        result["sigmas"] = scheduler.sigmas.clone()
    if not all(torch.isfinite(tensor).all() for tensor in result.values()):
        sys.exit(f"{name} {overrides} {steps}: not finite")
    return result


def write_references():
    generator = torch.Generator().manual_seed(7)
    data = {"noise_pred": torch.randn(51, 1, 4, 2, 2, generator=generator),
            "step_noise": torch.randn(51, 1, 4, 2, 2, generator=generator),
            "start": torch.randn(1, 4, 2, 2, generator=generator)}
    tensors, walks = dict(data), {}
    for kind in ("sd15", "zero_snr", "defaults", "cosine"):
        tensors[f"alphas_cumprod.{kind}"] = diffusers.DDIMScheduler.from_config(CONFIGS[kind]).alphas_cumprod
    for name, cases in WALKS.items():
        for config, overrides, steps in cases:
            key = f"{len(walks):03d}"
            for tensor, value in walk(name, CONFIGS[config], overrides, steps, data).items():
                tensors[f"{key}.{tensor}"] = value.contiguous()
            walks[key] = {"scheduler": name, "config": config, "overrides": overrides, "steps": steps}
    metadata = {"walks": json.dumps(walks), "configs": json.dumps(CONFIGS), "diffusers": diffusers.__version__}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "references.safetensors")
    save_file(tensors, path, metadata)
    print(len(walks), "walks,", os.path.getsize(path), "bytes")


def print_golden():
    leading, v = SPACINGS[0], V
    rows = [("ddim", {}, 20), ("ddim", v, 20), ("ddim", {**SPACINGS[2], "set_alpha_to_one": True}, 20),
            ("pndm", {}, 20), ("pndm", v, 20), ("euler", leading, 20), ("euler", {**leading, **v}, 20),
            ("euler", {**leading, **KARRAS}, 20),
            ("dpmpp_2m", {}, 20), ("dpmpp_2m", {}, 10), ("dpmpp_2m", leading, 20), ("dpmpp_2m_karras", {}, 20),
            ("dpmpp_2m", {**leading, **v}, 20), ("euler_ancestral", leading, 20)]
    for name, overrides, steps in rows:
        scheduler = build(name, CONFIGS["sd15"], overrides)
        start_walk(scheduler, steps)
        generator = torch.Generator().manual_seed(42)
        x = (torch.arange(16) / 8 - 0.9).view(1, 4, 2, 2) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            output = torch.sin(0.7 * scheduler.scale_model_input(x, t) + 0.001 * t)
            x, _ = step(scheduler, output, t, x, 0.0, lambda shape: torch.randn(shape, generator=generator))
        print(name, overrides, steps, *(f"{x.flatten()[i]:.6f}" for i in (0, 5, 10, 15)))


if __name__ == "__main__":
    print_golden() if "--golden" in sys.argv else write_references()
