"""Losses and gradients of one step of base training, in float32 by diffusers and transformers: references/*.safetensors.

Each file holds a small random model ("weight.…"), the step's inputs ("in.…"), the loss and the gradients ("grad.…");
references/*.json its config. Run with an interpreter that has torch, diffusers 0.42.1, transformers and safetensors.

    make_references.py                writes the references
    make_references.py check FOLDER   loads what `atelier base train` wrote (vae, clip, text_encoder, unet, segmenter: what
                                      is there) with diffusers and transformers, and samples where a pipeline is whole
"""

import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

REFERENCES = pathlib.Path(__file__).resolve().parent / "references"

UNET = dict(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=12, attention_head_dim=2)
VAE = dict(
    in_channels=3, out_channels=3, block_out_channels=(8, 8, 16), layers_per_block=1, norm_num_groups=4,
    latent_channels=4, sample_size=16, scaling_factor=1.0, down_block_types=("DownEncoderBlock2D",) * 3,
    up_block_types=("UpDecoderBlock2D",) * 3)
TOWER = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=2, projection_dim=12)
CLIP = dict(
    projection_dim=12,
    text_config=dict(TOWER, vocab_size=40, max_position_embeddings=10, bos_token_id=38, eos_token_id=39, pad_token_id=39),
    vision_config=dict(TOWER, image_size=16, patch_size=8))


def randomise(model):
    """Values that leave no path of the network at zero."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 0:
            parameter.data.fill_(2.0)
        else:
            noise = torch.randn(parameter.shape)
            parameter.data = (1.0 if "norm" in name and name.endswith("weight") else 0.0) + 0.15 * noise


def write(name, config, parameters, inputs, loss):
    loss.backward()
    tensors = {"loss": loss}
    for key, parameter in parameters.items():
        tensors["weight." + key] = parameter.data
        tensors["grad." + key] = parameter.grad
    for key, value in inputs.items():
        tensors["in." + key] = value
    REFERENCES.mkdir(exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, REFERENCES / f"{name}.safetensors",
              {"format": "pt"})
    (REFERENCES / f"{name}.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make_unet():
    torch.manual_seed(1)
    model = UNet2DConditionModel(**UNET)
    randomise(model)
    latents, noise, context = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.randn(3, 7, 12)
    timesteps = torch.tensor([3, 400, 990])
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    predicted = model(scheduler.add_noise(latents, noise, timesteps), timesteps, context).sample
    alpha = scheduler.alphas_cumprod[timesteps]
    snr = alpha / (1 - alpha)
    weights = torch.clamp(snr, max=5.0) / snr
    loss = (F.mse_loss(predicted, noise, reduction="none").mean((1, 2, 3)) * weights).mean()
    write("unet", dict(UNET), dict(model.named_parameters()),
          dict(latents=latents, noise=noise, timesteps=timesteps, context=context), loss)


def make_vae():
    torch.manual_seed(2)
    model = AutoencoderKL(**VAE)
    randomise(model)
    pixels, noise = torch.rand(2, 3, 16, 16) * 2 - 1, torch.randn(2, 4, 4, 4)
    posterior = model.encode(pixels).latent_dist
    decoded = model.decode(posterior.mean + posterior.std * noise).sample
    error = decoded - pixels
    gradient = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    loss = (1.0 * F.l1_loss(decoded, pixels) + 0.5 * F.mse_loss(decoded, pixels) + 0.7 * gradient
            + 1e-3 * posterior.kl().mean())
    write("vae", dict(VAE, _class_name="AutoencoderKL"), dict(model.named_parameters()),
          dict(pixels=pixels, noise=noise), loss)


def make_clip():
    torch.manual_seed(3)
    model = CLIPModel(CLIPConfig(**CLIP))
    randomise(model)
    instance_scale = torch.nn.Parameter(torch.tensor(1.5))
    pixels = torch.randn(6, 3, 16, 16)  # three instances, two pictures each
    ids = torch.full((6, 10), 39)
    captions = torch.tensor([4, 7, 4, 9, 2, 11])  # pictures 0 and 2 have one caption
    for row, caption in enumerate(captions):
        length = 2 + int(caption) % 4
        generator = torch.Generator().manual_seed(int(caption))
        ids[row, 0] = 38
        ids[row, 1:1 + length] = torch.randint(1, 37, (length,), generator=generator)
    images, texts = model.get_image_features(pixels), model.get_text_features(ids)
    images, texts = (getattr(x, "pooler_output", x) for x in (images, texts))
    images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)

    def symmetric(a, b, targets, scale):
        logits = scale.clamp(max=math.log(100)).exp() * a @ b.t()
        return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.t(), targets)) / 2

    same = (captions[:, None] == captions[None]).float()
    by_caption = symmetric(images, texts, same / same.sum(1, keepdim=True), model.logit_scale)
    by_instance = symmetric(images[:3], images[3:], torch.arange(3), instance_scale)
    parameters = dict(model.named_parameters(), instance_logit_scale=instance_scale)
    # Today's names of transformers may lack a level that files have: they are written as files have them.
    write("clip", model.config.to_dict(), parameters, dict(pixels=pixels, ids=ids, captions=captions),
          0.6 * by_caption + 0.4 * by_instance)


def check(folder):
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPModel, CLIPProcessor, CLIPSegForImageSegmentation, CLIPTextModel

    def load(name, loader, **options):
        if (folder / name).is_dir():
            model = loader(folder / name, **options)
            count = sum(p.numel() for p in model.parameters()) if hasattr(model, "parameters") else 0
            print(f"{name}: {type(model).__name__}, {count} parameters")

    load("vae", AutoencoderKL.from_pretrained)
    load("clip", CLIPModel.from_pretrained)
    load("text_encoder", CLIPTextModel.from_pretrained)
    load("unet", UNet2DConditionModel.from_pretrained)
    load("segmenter", CLIPSegForImageSegmentation.from_pretrained)
    load("clip", CLIPProcessor.from_pretrained)
    if (folder / "model_index.json").exists():
        pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        image = pipeline("a photo of a cat", num_inference_steps=4, height=64, width=64).images[0]
        print(f"pipeline: a picture of {image.size}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(pathlib.Path(sys.argv[2]))
    else:
        make_unet()
        make_vae()
        make_clip()
