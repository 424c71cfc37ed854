"""Gradients of the mean squared error, float64: for UNet parameters, the text encoder's output and its token table.

The inputs are laid out as the batches of `atelier probe method`."""

import copy

import torch
import torch.nn.functional as F
from reference_files import REFERENCES, write_tensors
from reference_models import scheduler_config
from reference_sampling import SCHEDULERS
from reference_tokenizers import tokenize

CAPTIONS = ["a photo of a cat", "two red dogs, 1999!"]


def chosen(names):
    """One parameter of every kind, from blocks at different depths."""
    endings = ("conv_in.weight", "conv_out.bias", "time_embedding.linear_1.weight", "add_embedding.linear_2.bias",
               "down_blocks.1.resnets.0.time_emb_proj.weight", "down_blocks.1.resnets.0.conv_shortcut.weight",
               "down_blocks.1.attentions.0.proj_in.weight", "down_blocks.0.downsamplers.0.conv.bias",
               "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
               "mid_block.attentions.0.norm.weight", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.bias",
               "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight",
               "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v.weight",
               "up_blocks.1.attentions.0.transformer_blocks.0.norm3.weight", "up_blocks.1.upsamplers.0.conv.bias",
               "up_blocks.0.resnets.0.norm1.bias", "conv_norm_out.weight")
    return [name for name in names if name in endings]


def draw(unet):
    generator = torch.Generator().manual_seed(75)
    shape = [2, unet.config.in_channels, 8, 6]
    inputs = {"batch.0.latents": torch.randn(shape, generator=generator),
              "batch.0.noise": torch.randn(shape, generator=generator), "batch.0.timesteps": torch.tensor([700, 41])}
    return inputs


def text_conditions(family, encoders):
    states, pooled = [], None
    for index, model in enumerate(encoders):
        ids = torch.tensor(tokenize(family.folder / ("tokenizer" if index == 0 else "tokenizer_2"), CAPTIONS))
        output = model(ids, output_hidden_states=True)
        states.append(output.hidden_states[-2] if family.is_xl else output.last_hidden_state)
        pooled = output.text_embeds if "text_embeds" in output else None
    return torch.cat(states, dim=-1), pooled


def write_references(family):
    unet = copy.deepcopy(family.unet).double()
    encoders = [copy.deepcopy(model).double() for model in family.text_encoders]
    inputs = draw(unet)
    latents, noise = inputs["batch.0.latents"].double(), inputs["batch.0.noise"].double()
    timesteps = inputs["batch.0.timesteps"]
    scheduler = SCHEDULERS["ddpm"][0].from_config(scheduler_config(family))
    noisy = scheduler.add_noise(latents, noise, timesteps)
    is_v = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps) if is_v else noise
    context, pooled = text_conditions(family, encoders)
    context.retain_grad()
    extra = None
    if family.is_xl:
        extra = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 48, 0, 0, 64, 48]] * 2)}
    loss = F.mse_loss(unet(noisy, timesteps, context, added_cond_kwargs=extra).sample, target)
    loss.backward()
    outputs = {"loss.0": loss, "grad.0.encoder_hidden_states": context.grad}
    for index, model in enumerate(encoders):
        name = "text_encoder" if index == 0 else "text_encoder_2"
        gradient = model.get_input_embeddings().weight.grad
        rows = gradient.abs().sum(dim=1).nonzero()[:, 0]
        outputs[f"token_ids.{name}"], outputs[f"grad.0.{name}.token_rows"] = rows, gradient[rows]
    parameters = dict(unet.named_parameters())
    for name in chosen(parameters):
        outputs[f"grad.0.unet.{name}"] = parameters[name].grad
    norms = torch.stack([parameter.grad.norm() for parameter in parameters.values()])
    outputs["grad_norm.0.unet"] = norms.norm()
    folder = REFERENCES / family.name
    case = {"captions": CAPTIONS, "target": scheduler.config.prediction_type,
            **({"time_ids": extra["time_ids"][0].tolist()} if extra else {})}
    write_tensors(folder / "gradients.in.safetensors", inputs, case)
    write_tensors(folder / "gradients.float64.safetensors", outputs, case)
