"""A LoRA and a learned token, applied by diffusers to the sd21-like model: what `atelier sample --artifact` must match.

Writes tests/parity/artifacts/: both artifacts as diffusers saves them, and the final latents of a 10-step DDIM walk with
guidance 3, LoRA weight 0.7 and seed 5. Needs torch, diffusers, transformers, peft, safetensors.
"""

import pathlib

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "models" / "sd21"
OUT = HERE / "artifacts"


def load():
    return StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, torch_dtype=torch.float32)


def make_artifacts():
    torch.manual_seed(3)
    pipe = load()
    pipe.unet.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    pipe.text_encoder.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["q_proj", "v_proj"]))
    layers = {}
    for name in ("unet", "text_encoder"):
        module = getattr(pipe, name)
        for parameter, value in module.named_parameters():
            if "lora_" in parameter:
                torch.nn.init.normal_(value, 0, 0.15)
        layers[f"{name}_lora_layers"] = convert_state_dict_to_diffusers(get_peft_model_state_dict(module))
    StableDiffusionPipeline.save_lora_weights(OUT, **layers)
    token = torch.randn(pipe.text_encoder.config.hidden_size) * 0.05
    save_file({"<cat-toy>": token}, OUT / "learned_embeds.safetensors", {"format": "pt"})


def sample():
    pipe = load()
    pipe.load_lora_weights(OUT, weight_name="pytorch_lora_weights.safetensors", adapter_name="a")
    pipe.set_adapters(["a"], [0.7])
    pipe.load_textual_inversion(OUT / "learned_embeds.safetensors")
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe("a <cat-toy> photo", num_inference_steps=10, guidance_scale=3.0, latents=latents, output_type="latent",
                height=size, width=size).images


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    make_artifacts()
    save_file({"latents": sample()}, OUT / "expected_latents.safetensors", {"format": "pt"})
