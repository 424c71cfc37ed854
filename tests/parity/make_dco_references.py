#!/usr/bin/env python3
"""DCO's files and its sampling, as diffusers has them on the tiny SDXL: what `atelier sample` must match.

    python3 tests/parity/make_dco_references.py              writes tests/parity/dco
    python3 tests/parity/make_dco_references.py --check      computes the same and compares
    python3 tests/parity/make_dco_references.py --load DIR --token TOKEN --latents FILE
        the authors' files in DIR, as `atelier export` writes them, loaded by diffusers' pipeline: no key may be unexpected,
        and ten steps have to end at FILE, what `atelier sample --latents-out` wrote for the same (see PROMPT, SEED)

tests/parity/dco holds adapters and embeddings in the authors' form and the final latents of: guidance by the tuned model
(`plain`), and DCO's reward guidance at several scales, which is three calls of the UNet here. Needs torch, diffusers,
transformers, peft and safetensors."""

import argparse
import pathlib

import diffusers
import peft
import torch
from diffusers.utils import convert_state_dict_to_diffusers
from peft.utils import get_peft_model_state_dict
from reference_files import MODELS
from reference_methods import Case
from reference_methods_dco import PLACEHOLDER, Side
from reference_methods_dco_cases import starts
from safetensors.torch import load_file, save_file

OUT = pathlib.Path(__file__).resolve().parent / "dco"
PROMPT, BASE, SEED, STEPS, GUIDANCE = f"a {PLACEHOLDER} on the moon, 1999", "a man on the moon, 1999", 5, 10, 7.5
REWARDS = (0.0, 3.0, 7.5)
WIDTHS = {"text_encoder": 24, "text_encoder_2": 40}


def tuned_side():
    config = {"method": "dco", "class_word": "man", "options": {"rank": 2}}
    tensors = starts("sdxl", 77, 2, 0.3, True, WIDTHS)
    return Side(Case("sampling", "sdxl", "subject", config, tensors, {}), torch.float32)


def predict(side, sample, timestep, condition, tuned):
    (side.unet.enable_adapters if tuned else side.unet.disable_adapters)()
    context, pooled = condition
    added = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
    return side.unet(sample, timestep, context, added_cond_kwargs=added).sample


def walk(step_noise):
    """Euler from the noise of SEED; `step_noise(sample, timestep)` is the guided prediction."""
    scheduler = diffusers.EulerDiscreteScheduler.from_pretrained(MODELS / "sdxl" / "scheduler")
    scheduler.set_timesteps(STEPS)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(SEED)) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        noise = step_noise(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(noise, timestep, latents).prev_sample
    return latents


@torch.no_grad()
def sample_all(side):
    tuned, base = side.encode([PROMPT]), side.encode([BASE])
    nothing = tuple(torch.zeros_like(part) for part in base)  # SDXL's "no prompt"

    def plain(sample, timestep):
        unconditional = predict(side, sample, timestep, nothing, True)
        return unconditional + GUIDANCE * (predict(side, sample, timestep, tuned, True) - unconditional)

    def rewarded(reward):
        def noise(sample, timestep):
            unconditional = predict(side, sample, timestep, nothing, False)
            conditional = predict(side, sample, timestep, base, False)
            learned = predict(side, sample, timestep, tuned, True)
            return unconditional + GUIDANCE * (conditional - unconditional) + reward * (learned - conditional)

        return noise

    return {"plain": walk(plain)} | {f"reward_{reward:g}": walk(rewarded(reward)) for reward in REWARDS}


def files_of(side):
    state = convert_state_dict_to_diffusers(get_peft_model_state_dict(side.unet))
    lora = {f"unet.{name}": value.detach().contiguous() for name, value in state.items()}
    assert all(name.endswith((".lora.down.weight", ".lora.up.weight")) for name in lora)
    rows = [side.case.init[tower.parameter][None] for tower in side.towers]
    return {"pytorch_lora_weights": lora, "learned_embeds": {"clip_l": rows[0], "clip_g": rows[1]}}


def deviation(found, expected):
    return ((found - expected).abs().max() / expected.pow(2).mean().sqrt()).item()


@torch.no_grad()
def sample_with_pipeline(folder, token):
    """The tuned model's own guidance, everything loaded as a user of diffusers would."""
    pipe = diffusers.StableDiffusionXLPipeline.from_pretrained(MODELS / "sdxl", torch_dtype=torch.float32)
    pipe.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors")
    keys = load_file(folder / "pytorch_lora_weights.safetensors").keys()
    adapted = [module for module in pipe.unet.modules() if isinstance(module, peft.tuners.lora.layer.LoraLayer)]
    assert 2 * len(adapted) == len(keys), "keys that no layer took"
    rows = load_file(folder / "learned_embeds.safetensors")
    pipe.load_textual_inversion(rows["clip_l"], token=token, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
    pipe.load_textual_inversion(rows["clip_g"], token=token, text_encoder=pipe.text_encoder_2,
                                tokenizer=pipe.tokenizer_2)
    prompt = PROMPT.replace(PLACEHOLDER, token)
    towers = []
    for tokenizer, model in ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2)):
        ids = torch.tensor(tokenizer([prompt], padding="max_length", max_length=77)["input_ids"])
        towers.append((ids, model(ids, output_hidden_states=True)))
    context = torch.cat([output.hidden_states[-2] for _, output in towers], dim=-1)
    ids, second = towers[1]
    pooled = pipe.text_encoder_2.text_projection(second.last_hidden_state[torch.arange(1), ids.argmax(1)])
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(SEED))
    return pipe(prompt_embeds=context, pooled_prompt_embeds=pooled, num_inference_steps=STEPS,
                guidance_scale=GUIDANCE, latents=latents, output_type="latent", height=64, width=64).images


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only verify what is there")
    parser.add_argument("--load", type=pathlib.Path, metavar="DIR", help="the authors' files")
    parser.add_argument("--token", default=PLACEHOLDER)
    parser.add_argument("--latents", type=pathlib.Path, metavar="FILE", help="what they have to give")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.load:
        found = sample_with_pipeline(arguments.load, arguments.token)
        error = deviation(load_file(arguments.latents)["latents"], found)
        print(f"deviation {error:.2e}")
        assert error < 1e-4
        return
    side = tuned_side()
    latents, files = sample_all(side), files_of(side)
    if not arguments.check:
        OUT.mkdir(exist_ok=True)
        for name, tensors in {**files, "expected_latents": latents}.items():
            save_file(tensors, OUT / f"{name}.safetensors", {"format": "pt"})
    expected = load_file(OUT / "expected_latents.safetensors")
    errors = {name: deviation(latents[name], expected[name]) for name in expected}
    errors["plain by the pipeline"] = deviation(sample_with_pipeline(OUT, PLACEHOLDER), expected["plain"])
    print(", ".join(f"{name} {error:.1e}" for name, error in errors.items()))
    assert max(errors.values()) < 1e-4
    names = list(expected)
    for i, name in enumerate(names):
        assert all(deviation(expected[name], expected[other]) > 1e-2 for other in names[i + 1:]), name


if __name__ == "__main__":
    main()
