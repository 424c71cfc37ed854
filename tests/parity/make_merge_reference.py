"""Two LoRAs that diffusers applies together (set_adapters): what a merged file has to give.

Writes tests/parity/artifacts/merge/: subject.safetensors and style.safetensors with PEFT's metadata, other ranks, alphas and
layers, and the final latents of a 10-step DDIM walk with guidance 3, weights 0.8 and -0.5, and seed 5. Needs torch, diffusers,
transformers, peft, safetensors.
"""

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from make_artifact_reference import OUT, load

FOLDER = OUT / "merge"
CONFIGS = {
    "subject": LoraConfig(r=4, lora_alpha=6, target_modules=["to_q", "to_k", "to_v", "to_out.0"],
                          rank_pattern={"attn1.to_q": 2}, alpha_pattern={"attn2.to_v": 1}),
    "style": LoraConfig(r=3, lora_alpha=3, target_modules=["to_v", "to_out.0", "ff.net.0.proj"]),
}
WEIGHTS = {"subject": 0.8, "style": -0.5}


def make(name, config):
    pipe = load()
    pipe.unet.add_adapter(config)
    for parameter, value in pipe.unet.named_parameters():
        if "lora_" in parameter:
            torch.nn.init.normal_(value, 0, 0.12)
    StableDiffusionPipeline.save_lora_weights(FOLDER, weight_name=f"{name}.safetensors",
                                              unet_lora_layers=get_peft_model_state_dict(pipe.unet),
                                              unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict())


def sample():
    pipe = load()
    for name in CONFIGS:
        pipe.load_lora_weights(FOLDER, weight_name=f"{name}.safetensors", adapter_name=name)
    pipe.set_adapters(list(WEIGHTS), list(WEIGHTS.values()))
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe("a photo", num_inference_steps=10, guidance_scale=3.0, latents=latents, output_type="latent", height=size,
                width=size).images


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(12)
    for name, config in CONFIGS.items():
        make(name, config)
    save_file({"latents": sample()}, FOLDER / "expected_latents.safetensors", {"format": "pt"})
