"""Do the written folders, loaded as any user would load them, give the written outputs? And do the tiny models depend
on everything they are given?"""

import diffusers
import torch
import transformers
from reference_files import MODELS, REFERENCES
from safetensors.torch import load_file


def deviation(actual, expected):
    return ((actual.double() - expected.double()).abs().max() / expected.double().pow(2).mean().sqrt()).item()


def case(family, name, dtype="float64"):
    folder = REFERENCES / family
    return load_file(folder / f"{name}.in.safetensors"), load_file(folder / f"{name}.{dtype}.safetensors")


def unet_output(unet, inputs):
    extra = {key: inputs[key] for key in ("text_embeds", "time_ids") if key in inputs}
    return unet(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"],
                added_cond_kwargs=extra or None).sample


def check_unet(family):
    unet = diffusers.UNet2DConditionModel.from_pretrained(MODELS / family / "unet", torch_dtype=torch.float32)
    inputs, expected = case(family, "unet_10x14")
    output = unet_output(unet, inputs)
    report = [f"rms {output.pow(2).mean().sqrt():.2f}", f"reloaded {deviation(output, expected['noise_pred']):.1e}"]
    assert deviation(output, expected["noise_pred"]) < 1e-5
    for name, value in inputs.items():
        changed = {**inputs, name: value.flip(0)}
        effect = deviation(unet_output(unet, changed), output)
        assert effect > 0.05, f"{family}: noise_pred hardly depends on {name}"
        report.append(f"{name} {effect:.2f}")
    print(f"{family} unet: " + ", ".join(report))


def load_vae(folder):
    """By hand, because the reference refuses the 1x1 convolutions that oldest files have in place of matrices."""
    vae = diffusers.AutoencoderKL.from_config(diffusers.AutoencoderKL.load_config(folder))
    shapes = {name: parameter.shape for name, parameter in vae.state_dict().items()}
    state = {}
    for name, tensor in load_file(folder / "diffusion_pytorch_model.safetensors").items():
        for old, new in (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")):
            name = name.replace(f".{old}.", f".{new}.")
        state[name] = tensor.float().reshape(shapes[name])
    vae.load_state_dict(state)
    return vae.eval()


def check_vae(family):
    vae = load_vae(MODELS / family / "vae")
    inputs, expected = case(family, "vae_decoder_4x6")
    image = vae.decode(inputs["latents"] / vae.config.scaling_factor).sample
    inputs, moments = case(family, "vae_encoder_32x48")
    posterior = vae.encode(inputs["pixel_values"]).latent_dist
    errors = [deviation(image, expected["image"]), deviation(posterior.mean, moments["mean"]),
              deviation(posterior.std, moments["std"])]
    assert max(errors) < 1e-5, (family, errors)
    print(f"{family} vae: image rms {image.pow(2).mean().sqrt():.2f}, std {posterior.std.mean():.2f}, "
          f"reloaded {max(errors):.1e}")


def check_text_encoder(family, name):
    kind = transformers.CLIPTextModelWithProjection if name.endswith("_2") else transformers.CLIPTextModel
    model = kind.from_pretrained(MODELS / family / name, torch_dtype=torch.float32)
    for which in ("prompts", "ids"):
        inputs, expected = case(family, f"{name}_{which}")
        output = model(inputs["input_ids"], output_hidden_states=True)
        pooled = output.text_embeds if "text_embeds" in output else output.pooler_output
        errors = [deviation(output.last_hidden_state, expected["last_hidden_state"]),
                  deviation(pooled, expected["pooled"]),
                  deviation(output.hidden_states[-2], expected["penultimate_hidden_state"])]
        assert max(errors) < 1e-5, (family, name, errors)
    print(f"{family} {name}: reloaded {max(errors):.1e}")


def check_image_encoder(name):
    """Stock ports read 1e-12 and interpolate without the offset: these two have to differ."""
    model = transformers.AutoModel.from_pretrained(MODELS / "image_encoders" / name, torch_dtype=torch.float32)
    inputs, expected = case("image_encoders", name)
    if hasattr(model, "get_image_features"):
        features = model.get_image_features(pixel_values=inputs["pixel_values"]).pooler_output
    elif name.startswith("siglip"):
        features = model(pixel_values=inputs["pixel_values"]).pooler_output
    elif name.startswith("clip"):
        model = transformers.CLIPVisionModelWithProjection.from_pretrained(MODELS / "image_encoders" / name)
        features = model(pixel_values=inputs["pixel_values"]).image_embeds
    else:
        features = model(pixel_values=inputs["pixel_values"]).last_hidden_state[:, 0]
    error = deviation(features, expected["features"])
    stock_differs = name in ("dino", "dinov2", "dinov2_swiglu")
    assert (1e-4 < error) if stock_differs else (error < 1e-5), (name, error)
    print(f"image encoder {name}: stock port differs by {error:.1e}")


@torch.no_grad()
def run():
    for family in ("sd15", "sd21", "sdxl"):
        check_unet(family)
        check_vae(family)
        for name in ("text_encoder", "text_encoder_2")[:1 + (family == "sdxl")]:
            check_text_encoder(family, name)
    for folder in sorted((MODELS / "image_encoders").iterdir()):
        check_image_encoder(folder.name)
