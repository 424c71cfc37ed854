"""Whole pictures and scheduler walks: a plain loop over the reference's schedulers and UNet."""

import unittest.mock

import diffusers
import numpy
import torch
from reference_files import REFERENCES, write_tensors
from reference_models import scheduler_config
from reference_tokenizers import tokenize

SCHEDULERS = {
    "ddim": (diffusers.DDIMScheduler, {}),
    "pndm": (diffusers.PNDMScheduler, {}),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    "euler_ancestral": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_karras": (diffusers.DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "unipc": (diffusers.UniPCMultistepScheduler, {}),
    "lcm": (diffusers.LCMScheduler, {}),
    "ddpm": (diffusers.DDPMScheduler, {}),
}
DRAWS = ("euler_ancestral", "lcm", "ddpm")
WITH_SIGMAS = ("euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_karras", "unipc")
HEIGHT, WIDTH = 56, 72  # latents of 7x9


def make_scheduler(family, name, steps, changes=None):
    kind, extra = SCHEDULERS[name]
    scheduler = kind.from_config({**scheduler_config(family), **extra, **(changes or {})})
    scheduler.set_timesteps(steps)
    return scheduler


def encode(family, texts):
    """-> context [N, 77, D], pooled [N, P] or None."""
    states, pooled = [], None
    for index, model in enumerate(family.text_encoders):
        ids = torch.tensor(tokenize(family.folder / ("tokenizer" if index == 0 else "tokenizer_2"), texts))
        output = model(ids, output_hidden_states=True)
        states.append(output.hidden_states[-2] if family.is_xl else output.last_hidden_state)
        pooled = output.text_embeds if "text_embeds" in output else None
    return torch.cat(states, dim=-1), pooled


def conditions(family, prompt, negative):
    """-> context and pooled of [unconditional, conditional]."""
    context, pooled = encode(family, [negative or "", prompt])
    if family.is_xl and negative is None:  # force_zeros_for_empty_prompt
        context[0], pooled[0] = 0, 0
    return context, pooled


def predict(family, unet, latents, timestep, context, pooled, guidance):
    dtype = next(unet.parameters()).dtype
    only = slice(1, 2) if guidance == 1 else slice(0, 2)
    context = context[only].to(dtype)
    extra = None
    if family.is_xl:
        extra = {"text_embeds": pooled[only].to(dtype),
                 "time_ids": torch.tensor([[HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH]] * len(context), dtype=torch.float32)}
    output = unet(latents.to(dtype).expand(len(context), -1, -1, -1), timestep, context, added_cond_kwargs=extra).sample
    if guidance == 1:
        return output
    unconditional, conditional = output.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


@torch.no_grad()
def sample_one(family, unet, name, case, prompt, index):
    """One picture: its own generator seeded with seed + index gives the latents and then the noise of each step."""
    generator = torch.Generator().manual_seed(case["seed"] + index)
    scheduler = make_scheduler(family, name, case["steps"], case.get("changes"))
    context, pooled = conditions(family, prompt, case["negative"])
    latents = torch.randn([1, 4, HEIGHT // 8, WIDTH // 8], generator=generator) * scheduler.init_noise_sigma
    drawn = {"generator": generator} if name in DRAWS else {}
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(latents, timestep)
        noise_pred = predict(family, unet, scaled, timestep, context, pooled, case["guidance"]).float()
        latents = scheduler.step(noise_pred, timestep, latents, **drawn).prev_sample
    return latents


def sample(family, unet, name, case):
    return torch.cat([sample_one(family, unet, name, case, prompt, index)
                      for prompt in case["prompts"] for index in range(case["images"])])


@torch.no_grad()
def decode(family, latents):
    image = family.vae.decode(latents / family.vae.config.scaling_factor).sample
    image = (image / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return torch.from_numpy((image * 255).round().astype(numpy.uint8))


def write_sample(family, exact_unet, label, name, prompts=("a photo of a cat on the beach",), images=1, steps=50,
                 guidance=7.5, negative=None, seed=11, picture=False, changes=None):
    case = {"scheduler": name, "prompts": list(prompts), "images": images, "steps": steps, "guidance": guidance,
            "negative": negative, "seed": seed, "size": f"{WIDTH}x{HEIGHT}"}
    if changes:
        case["changes"] = changes
    latents = sample(family, family.unet, name, case)
    exact = sample(family, exact_unet, name, case)
    error = ((latents - exact).abs().max() / exact.pow(2).mean().sqrt()).item()
    print(f"{family.name} {label}: rms {latents.pow(2).mean().sqrt():.3f}, float32 against float64 UNet {error:.1e}")
    assert error < 2e-5, "too sensitive to rounding to be a reference"
    outputs = {"latents": latents, **({"image": decode(family, latents)} if picture else {})}
    write_tensors(REFERENCES / family.name / f"sample_{label}.safetensors", outputs, case)


# Guidance multiplies rounding errors: v-prediction feeds them back undamped, and SDXL's zero context is far from any
# text, so these two random models take less of it.
LONG = {"sd15": list(SCHEDULERS), "sd21": ["ddim", "euler_ancestral", "dpmpp_2m"],
        "sdxl": ["euler", "dpmpp_2m_karras", "unipc"]}


def write_samples(family, exact_unet):
    for name in SCHEDULERS:
        steps = 50 if name in LONG[family.name] else 10
        guidance = {"sd15": 7.5, "sd21": 4.0, "sdxl": 5.0}[family.name]
        write_sample(family, exact_unet, f"{name}_{steps}", name, steps=steps, guidance=guidance)
    guided = {"guidance": 5.0 if family.name == "sd15" else 3.0, "negative": "blurry, dark"}
    write_sample(family, exact_unet, "pictures", "euler_ancestral", ["a cat", "two red dogs, 1999!"], images=2, steps=5,
                 picture=True, **guided)
    write_sample(family, exact_unet, "empty_negative", "ddim", steps=4, negative="", guidance=3.0)
    write_sample(family, exact_unet, "unguided", "lcm", steps=4, guidance=1)
    if family.is_xl:
        write_kinds_of_sdxl(family, exact_unet)


TURBO = {"timestep_spacing": "trailing"}
VELOCITY = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


def write_kinds_of_sdxl(family, exact_unet):
    """As SDXL-Turbo is sampled (diffusers' guidance of 0 is none, here 1), and fine-tuned models that predict the
    velocity, whose last timestep holds no signal."""
    for steps in (1, 4):
        write_sample(family, exact_unet, f"turbo_{steps}", "euler_ancestral", steps=steps, guidance=1, changes=TURBO)
    write_sample(family, exact_unet, "velocity", "euler", steps=10, guidance=2.0, changes=VELOCITY)
    write_sample(family, exact_unet, "velocity_ddim", "ddim", steps=10, guidance=2.0, changes=VELOCITY)


ZERO_SNR = {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True}
WALKS = {
    "sd15": [(name, steps, {}) for name in SCHEDULERS for steps in (50, 7, 1)] + [
        ("ddim", 20, {"timestep_spacing": "trailing"}), ("ddim", 20, {"timestep_spacing": "linspace"}),
        ("euler", 20, {"timestep_spacing": "trailing"}), ("euler", 20, {"use_karras_sigmas": True}),
        ("dpmpp_2m", 20, {"final_sigmas_type": "sigma_min"}), ("dpmpp_2m", 20, {"timestep_spacing": "leading"}),
        ("dpmpp_2m", 20, {"timestep_spacing": "trailing"}), ("dpmpp_2m", 20, {"solver_type": "heun"}),
        ("dpmpp_2m_karras", 20, {"final_sigmas_type": "sigma_min"})],
    "sd21": [(name, 30, {}) for name in SCHEDULERS] + [
        ("ddim", 20, ZERO_SNR), ("euler", 20, ZERO_SNR), ("dpmpp_2m", 20, {"final_sigmas_type": "sigma_min"})],
    "sdxl": [(name, 30, {}) for name in SCHEDULERS],
}


@torch.no_grad()
def write_walk(family, name, steps, changes, seed):
    generator = torch.Generator().manual_seed(seed)
    scheduler = make_scheduler(family, name, steps, changes)
    calls = len(scheduler.timesteps)
    shape = [2, 4, 2, 3]
    inputs = {"sample": torch.randn(shape, generator=generator) * scheduler.init_noise_sigma,
              "noise_pred": torch.randn([calls, *shape], generator=generator)}
    if name in DRAWS:
        inputs["step_noise"] = torch.randn([calls, *shape], generator=generator)
    states = [inputs["sample"]]
    module = type(scheduler).__module__
    for index, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(states[-1], timestep)
        noise = inputs.get("step_noise", torch.zeros([calls, *shape]))[index]
        with unittest.mock.patch(f"{module}.randn_tensor", lambda *_, noise=noise, **__: noise, create=True):
            states.append(scheduler.step(inputs["noise_pred"][index], timestep, states[-1]).prev_sample)
    outputs = {"timesteps": scheduler.timesteps, "samples": torch.stack(states)}
    if name in WITH_SIGMAS:
        outputs["sigmas"] = scheduler.sigmas
    label = "_".join([name, str(steps), *(f"{key}={value}".lower() for key, value in changes.items())])
    folder = REFERENCES / family.name / "schedulers"
    case = {"scheduler": name, "steps": steps, "set": [f"{key}={str(value).lower()}" for key, value in changes.items()]}
    write_tensors(folder / f"{label}.in.safetensors", inputs)
    write_tensors(folder / f"{label}.out.safetensors", outputs, case)


def write_walks(family):
    for seed, (name, steps, changes) in enumerate(WALKS[family.name]):
        write_walk(family, name, steps, changes, seed)
