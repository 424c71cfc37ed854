"""Two LoRAs that diffusers applies together (set_adapters) to the SDXL-like model: what a merged file has to give.

Writes tests/parity/artifacts/merge_sdxl/: subject.safetensors and style.safetensors with PEFT's metadata, other ranks, alphas and
layers, attention.safetensors on every projection of every attention (what formats that number layers can hold), and the final latents
of 10 Euler steps with guidance 5 and seed 5: of the first two with weights 0.8 and -0.5 ("merged"), of the subject alone at 0.8
("subject"), of the third alone at 0.8 ("attention"). With --load DIR: loads subject.safetensors in DIR, which `atelier convert` wrote, and compares the latents. Needs
torch, diffusers, transformers, peft, safetensors.
"""

import pathlib
import sys

import torch
from diffusers import StableDiffusionXLPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "artifacts" / "merge_sdxl"
CONFIGS = {
    "subject": LoraConfig(r=2, lora_alpha=3, target_modules=["to_q", "to_out.0"], rank_pattern={"attn2.to_q": 1}),
    "style": LoraConfig(r=1, lora_alpha=1, target_modules=["to_v", "to_out.0"]),
    "attention": LoraConfig(r=1, lora_alpha=0.5, target_modules=["to_q", "to_k", "to_v", "to_out.0"]),
}
WEIGHTS = {"subject": 0.8, "style": -0.5}


def load():
    return StableDiffusionXLPipeline.from_pretrained(HERE / "models" / "sdxl", torch_dtype=torch.float32)


def make(name, config):
    pipe = load()
    pipe.unet.add_adapter(config)
    for parameter, value in pipe.unet.named_parameters():
        if "lora_" in parameter:
            torch.nn.init.normal_(value, 0, 0.3)
    StableDiffusionXLPipeline.save_lora_weights(FOLDER, weight_name=f"{name}.safetensors",
                                                unet_lora_layers=get_peft_model_state_dict(pipe.unet),
                                                unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict())


def sample(folder, weights):
    pipe = load()
    for name in weights:
        pipe.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name=name)
    pipe.set_adapters(list(weights), list(weights.values()))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    size = 8 * pipe.vae_scale_factor
    return pipe("a photo", num_inference_steps=10, guidance_scale=5.0, latents=latents, output_type="latent", height=size,
                width=size).images


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--load"]:
        expected = load_file(FOLDER / "expected_latents.safetensors")["subject"]
        difference = (sample(sys.argv[2], {"subject": 0.8}) - expected).abs().max().item()
        print(f"largest difference {difference:.2e}")
        assert difference < 1e-4
    else:
        FOLDER.mkdir(exist_ok=True)
        torch.manual_seed(12)
        for name, config in CONFIGS.items():
            make(name, config)
        save_file({"merged": sample(FOLDER, WEIGHTS), "subject": sample(FOLDER, {"subject": 0.8}),
                   "attention": sample(FOLDER, {"attention": 0.8})},
                  FOLDER / "expected_latents.safetensors", {"format": "pt"})
