"""An output folder of AttnDreamBooth's program for the sd15-like model, and the latents that its sampling makes of it.

    python3 tests/parity/make_attndreambooth_output.py          writes tests/parity/attndreambooth_output/
    python3 tests/parity/make_attndreambooth_output.py --check FOLDER LATENTS PROMPT
                        compares LATENTS (safetensors, of `atelier sample`) with those of diffusers on a pipeline FOLDER

The embedding file is what torch.save writes there. Its UNets would be large, so they are not kept: stage attention's is the
base's with every attn2.to_v.weight times 1.5, stage identity's the base's with every attn2.to_v.weight times 1.5 and
conv_out.bias plus 0.25, exact in float32; the test writes them again. Sampling: 20 steps of the published sampler, guidance
7.5. Needs torch, diffusers, transformers, safetensors."""

import pathlib
import sys

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from reference_check import load_vae
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "models" / "sd15"
OUT = HERE / "attndreambooth_output"
TOKENS = ["new_concept_v0", "new_concept_v1"]


def load(folder, **parts):
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32, **parts)
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, timestep_spacing="linspace",
                                                             final_sigmas_type="sigma_min")
    return pipe


def sample(pipe, prompt):
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe(prompt, num_inference_steps=20, guidance_scale=7.5, latents=latents, output_type="latent", height=size,
                width=size).images


def with_output(vectors, whole):
    """The base with what a stage of the program left, as its sampling program loads it."""
    pipe = load(MODEL, vae=load_vae(MODEL / "vae"))  # its old names of layers
    pipe.tokenizer.add_tokens(list(vectors))
    pipe.text_encoder.resize_token_embeddings(len(pipe.tokenizer))
    table = pipe.text_encoder.get_input_embeddings().weight
    with torch.no_grad():
        for token, vector in vectors.items():
            table[pipe.tokenizer.convert_tokens_to_ids(token)] = vector
        for name, value in pipe.unet.named_parameters():
            if name.endswith("attn2.to_v.weight"):
                value.mul_(1.5)
            if whole and name == "conv_out.bias":
                value.add_(0.25)
    return pipe


def make():
    generator = torch.Generator().manual_seed(9)
    vectors = {token: torch.randn(32, generator=generator) * 0.5 for token in TOKENS}
    folder = OUT / "learned_embeds"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(vectors, folder / "learned_embeds_steps_60.bin")
    torch.save({token: vector * 0 for token, vector in vectors.items()}, folder / "learned_embeds_steps_30.bin")
    prompt = f"a photo of a {' '.join(TOKENS)} man"
    latents = {stage: sample(with_output(vectors, stage == "identity"), prompt) for stage in ("attention", "identity")}
    save_file(latents, OUT / "expected_latents.safetensors", {"format": "pt"})


def check(folder, file, prompt):
    found, expected = load_file(file)["latents"], sample(load(folder), prompt)
    error = ((found - expected).abs().max() / expected.pow(2).mean().sqrt()).item()
    print(f"largest difference over the rms: {error:.2e}")
    sys.exit(error >= 1e-4)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--check" in sys.argv:
        check(*sys.argv[2:])
    make()
