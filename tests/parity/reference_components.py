"""Inputs and outputs of every component of a pipeline, in float32 and in float64."""

import copy

import torch
from reference_files import REFERENCES, write_tensors
from reference_tokenizers import BOS, VOCABULARY_SIZE, tokenize

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def write_case(folder, name, inputs, forward):
    """`forward(dtype, inputs)` -> outputs; floating inputs other than times stay float32 in the file."""
    write_tensors(folder / f"{name}.in.safetensors", inputs)
    for dtype_name, dtype in DTYPES.items():
        with torch.no_grad():
            outputs = forward(dtype, inputs)
        assert all(tensor.dtype == dtype for tensor in outputs.values()), name
        write_tensors(folder / f"{name}.{dtype_name}.safetensors", outputs)


def in_dtypes(model):
    return {torch.float32: model, torch.float64: copy.deepcopy(model).double()}


def normal(generator, *shape):
    return torch.randn(shape, generator=generator)


def unet_inputs(family, generator, height, width, timesteps, length=77):
    batch = len(timesteps)
    config = family.unet.config
    inputs = {"sample": normal(generator, batch, 4, height, width), "timestep": torch.tensor(timesteps),
              "encoder_hidden_states": normal(generator, batch, length, config.cross_attention_dim)}
    if family.is_xl:
        pooled = family.text_encoders[1].config.projection_dim
        inputs["text_embeds"] = normal(generator, batch, pooled)
        inputs["time_ids"] = torch.tensor([[512.0, 768, 0, 17, 1024, 1024], [80, 112, 3, 0, 80, 112]])[:batch]
    return inputs


def unet_forward(models):
    def forward(dtype, inputs):
        extra = {"text_embeds": inputs["text_embeds"].to(dtype), "time_ids": inputs["time_ids"]} \
            if "text_embeds" in inputs else None
        output = models[dtype](inputs["sample"].to(dtype), inputs["timestep"],
                               inputs["encoder_hidden_states"].to(dtype), added_cond_kwargs=extra)
        return {"noise_pred": output.sample}
    return forward


def write_unet(family, folder):
    generator = torch.Generator().manual_seed(70)
    forward = unet_forward(in_dtypes(family.unet))
    write_case(folder, "unet_10x14", unet_inputs(family, generator, 10, 14, [981, 3]), forward)
    write_case(folder, "unet_9x11", unet_inputs(family, generator, 9, 11, [946.4210815, 12.5]), forward)
    write_case(folder, "unet_16x8", unet_inputs(family, generator, 16, 8, [0], length=154), forward)


def write_vae(family, folder):
    generator = torch.Generator().manual_seed(71)
    models = in_dtypes(family.vae)

    def encode(dtype, inputs):
        posterior = models[dtype].encode(inputs["pixel_values"].to(dtype)).latent_dist
        return {"mean": posterior.mean, "std": posterior.std}

    def decode(dtype, inputs):
        return {"image": models[dtype].decode(inputs["latents"].to(dtype) / family.vae.config.scaling_factor).sample}

    def pixels(*shape):
        return torch.rand(shape, generator=generator) * 2 - 1

    write_case(folder, "vae_encoder_32x48", {"pixel_values": pixels(2, 3, 32, 48)}, encode)
    write_case(folder, "vae_encoder_40x56", {"pixel_values": pixels(1, 3, 40, 56)}, encode)
    scale = family.vae.config.scaling_factor * 5
    write_case(folder, "vae_decoder_4x6", {"latents": scale * normal(generator, 1, 4, 4, 6)}, decode)
    write_case(folder, "vae_decoder_5x3", {"latents": scale * normal(generator, 2, 4, 5, 3)}, decode)


def difficult_ids(generator):
    """A row with the id 2 before the end and a second end (what `eos_token_id` 2 and a real one make of it), a row
    without any end token."""
    rows = torch.randint(3, BOS, (2, 77), generator=generator)
    rows[:, 0] = BOS
    rows[0, 20] = 2
    rows[0, 33:] = torch.where(torch.arange(44) % 9 == 0, VOCABULARY_SIZE - 1, rows[0, 33:])
    return rows


def write_text_encoder(family, folder, index):
    suffix = "" if index == 0 else "_2"
    model = family.text_encoders[index]
    models = in_dtypes(model)

    def forward(dtype, inputs):
        seen = []
        inner = getattr(models[dtype], "text_model", models[dtype])
        handle = inner.encoder.layers[-2].register_forward_hook(lambda _m, _i, output: seen.append(output))
        output = models[dtype](inputs["input_ids"])
        handle.remove()
        penultimate = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
        pooled = output.text_embeds if "text_embeds" in output else output.pooler_output
        return {"last_hidden_state": output.last_hidden_state, "penultimate_hidden_state": penultimate,
                "pooled": pooled}

    texts = ["a photo of a cat on the beach", "two red dogs, 1999!"]
    prompts = torch.tensor(tokenize(family.folder / f"tokenizer{suffix}", texts))
    write_case(folder, f"text_encoder{suffix}_prompts", {"input_ids": prompts}, forward)
    generator = torch.Generator().manual_seed(72)
    write_case(folder, f"text_encoder{suffix}_ids", {"input_ids": difficult_ids(generator)}, forward)


def write_references(family):
    folder = REFERENCES / family.name
    write_unet(family, folder)
    write_vae(family, folder)
    for index in range(len(family.text_encoders)):
        write_text_encoder(family, folder, index)
