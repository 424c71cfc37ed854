"""Writes data/{sd1,sd2,sdxl}.safetensors, data/sd1.ckpt, data/tiny.json and data/key_lists.json.

Run: python3 make_single_files.py   (diffusers 0.42, transformers 5.23, torch, safetensors)

The files are tiny random checkpoints in the LDM and sgm layouts. Their names are laid out here after the constructors of
the original code (openaimodel.UNetModel, autoencoder, OpenCLIP); what they become is computed by diffusers' own converters
and checked against the state dict of the diffusers model. key_lists.json holds digests of the same pairs of names for the
published sizes.
"""

import hashlib
import json
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors.torch import save_file

DATA = pathlib.Path(__file__).resolve().parent / "data"


def both(name, *shape):
    return {name + ".weight": shape, name + ".bias": shape[:1]}


def unet(width, mult, layers, depths, context, linear, added=None, mid_depth=None):
    """openaimodel.UNetModel: depths holds transformer blocks for each level, 0 where it does not attend."""
    emb = 4 * width
    t = {**both("time_embed.0", emb, width), **both("time_embed.2", emb, emb)}
    if added:
        t |= {**both("label_emb.0.0", emb, added), **both("label_emb.0.2", emb, emb)}

    def resnet(p, cin, cout):
        nonlocal t
        t |= {**both(p + ".in_layers.0", cin), **both(p + ".in_layers.2", cout, cin, 3, 3), **both(p + ".emb_layers.1", cout, emb)}
        t |= {**both(p + ".out_layers.0", cout), **both(p + ".out_layers.3", cout, cout, 3, 3)}
        if cin != cout:
            t |= both(p + ".skip_connection", cout, cin, 1, 1)

    def attention(p, c, depth):
        nonlocal t
        square = (c, c) if linear else (c, c, 1, 1)
        t |= {**both(p + ".norm", c), **both(p + ".proj_in", *square), **both(p + ".proj_out", *square)}
        for k in range(depth):
            b = f"{p}.transformer_blocks.{k}"
            for attn, width_in in (("attn1", c), ("attn2", context)):
                t |= {f"{b}.{attn}.to_q.weight": (c, c), f"{b}.{attn}.to_k.weight": (c, width_in)}
                t |= {f"{b}.{attn}.to_v.weight": (c, width_in), **both(f"{b}.{attn}.to_out.0", c, c)}
            t |= {**both(b + ".ff.net.0.proj", 8 * c, c), **both(b + ".ff.net.2", c, 4 * c)}
            for n in (1, 2, 3):
                t |= both(f"{b}.norm{n}", c)

    t |= both("input_blocks.0.0", width, 4, 3, 3)
    channels, skips, i = width, [width], 1
    for level, m in enumerate(mult):
        for _ in range(layers):
            resnet(f"input_blocks.{i}.0", channels, width * m)
            channels = width * m
            if depths[level]:
                attention(f"input_blocks.{i}.1", channels, depths[level])
            skips.append(channels)
            i += 1
        if level + 1 < len(mult):
            t |= both(f"input_blocks.{i}.0.op", channels, channels, 3, 3)
            skips.append(channels)
            i += 1
    resnet("middle_block.0", channels, channels)
    attention("middle_block.1", channels, mid_depth or depths[-1] or 1)
    resnet("middle_block.2", channels, channels)
    i = 0
    for level in reversed(range(len(mult))):
        for layer in range(layers + 1):
            resnet(f"output_blocks.{i}.0", channels + skips.pop(), width * mult[level])
            channels = width * mult[level]
            if depths[level]:
                attention(f"output_blocks.{i}.1", channels, depths[level])
            if layer == layers and level > 0:
                t |= both(f"output_blocks.{i}.{2 if depths[level] else 1}.conv", channels, channels, 3, 3)
            i += 1
    return t | both("out.0", width) | both("out.2", 4, width, 3, 3)


def vae(width, mult, layers):
    t = {**both("quant_conv", 8, 8, 1, 1), **both("post_quant_conv", 4, 4, 1, 1)}

    def resnet(p, cin, cout):
        nonlocal t
        t |= {**both(p + ".norm1", cin), **both(p + ".conv1", cout, cin, 3, 3)}
        t |= {**both(p + ".norm2", cout), **both(p + ".conv2", cout, cout, 3, 3)}
        if cin != cout:
            t |= both(p + ".nin_shortcut", cout, cin, 1, 1)

    def middle(half, c):
        nonlocal t
        resnet(half + ".mid.block_1", c, c)
        t |= both(half + ".mid.attn_1.norm", c)
        for leaf in ("q", "k", "v", "proj_out"):
            t |= both(f"{half}.mid.attn_1.{leaf}", c, c, 1, 1)
        resnet(half + ".mid.block_2", c, c)

    top = width * mult[-1]
    t |= both("encoder.conv_in", width, 3, 3, 3)
    channels = width
    for level, m in enumerate(mult):
        for layer in range(layers):
            resnet(f"encoder.down.{level}.block.{layer}", channels, width * m)
            channels = width * m
        if level + 1 < len(mult):
            t |= both(f"encoder.down.{level}.downsample.conv", channels, channels, 3, 3)
    middle("encoder", top)
    t |= {**both("encoder.norm_out", top), **both("encoder.conv_out", 8, top, 3, 3), **both("decoder.conv_in", top, 4, 3, 3)}
    middle("decoder", top)
    for level in reversed(range(len(mult))):
        for layer in range(layers + 1):
            resnet(f"decoder.up.{level}.block.{layer}", channels, width * mult[level])
            channels = width * mult[level]
        if level > 0:
            t |= both(f"decoder.up.{level}.upsample.conv", channels, channels, 3, 3)
    return t | both("decoder.norm_out", width) | both("decoder.conv_out", 3, width, 3, 3)


def clip(width, hidden, layers, vocabulary, length):
    t = {"embeddings.token_embedding.weight": (vocabulary, width), "embeddings.position_embedding.weight": (length, width)}
    for i in range(layers):
        p = f"encoder.layers.{i}"
        t |= {**both(p + ".layer_norm1", width), **both(p + ".layer_norm2", width)}
        for leaf in ("k_proj", "v_proj", "q_proj", "out_proj"):
            t |= both(f"{p}.self_attn.{leaf}", width, width)
        t |= {**both(p + ".mlp.fc1", hidden, width), **both(p + ".mlp.fc2", width, hidden)}
    t |= both("final_layer_norm", width)
    return {"text_model." + name: shape for name, shape in t.items()}


def open_clip(width, hidden, layers, vocabulary, length, projection):
    t = {"positional_embedding": (length, width), "token_embedding.weight": (vocabulary, width), **both("ln_final", width)}
    t |= {"text_projection": (width, projection), "logit_scale": ()}
    for i in range(layers):
        p = f"transformer.resblocks.{i}"
        t |= {**both(p + ".ln_1", width), **both(p + ".ln_2", width), **both(p + ".attn.out_proj", width, width)}
        t |= {p + ".attn.in_proj_weight": (3 * width, width), p + ".attn.in_proj_bias": (3 * width,)}
        t |= {**both(p + ".mlp.c_fc", hidden, width), **both(p + ".mlp.c_proj", width, hidden)}
    return t


def block_types(depths):
    down = ["CrossAttnDownBlock2D" if d else "DownBlock2D" for d in depths]
    up = ["CrossAttnUpBlock2D" if d else "UpBlock2D" for d in reversed(depths)]
    return {"down_block_types": down, "up_block_types": up}


def unet_config(width, mult, layers, depths, context, linear, added=None, mid_depth=None, heads=2, groups=2, **more):
    config = {
        "_class_name": "UNet2DConditionModel", "sample_size": 8, "in_channels": 4, "out_channels": 4,
        "block_out_channels": [width * m for m in mult], "layers_per_block": layers, **block_types(depths),
        "cross_attention_dim": context, "use_linear_projection": linear, "attention_head_dim": heads,
        "norm_num_groups": groups, **more,
    }  # fmt: skip
    if added:
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": more.get("addition_time_embed_dim", 4)}
        config |= {"projection_class_embeddings_input_dim": added}
        config |= {"transformer_layers_per_block": [max(d, 1) for d in depths]}
    return config


def vae_config(width, mult, layers, groups=2):
    return {
        "_class_name": "AutoencoderKL", "block_out_channels": [width * m for m in mult], "layers_per_block": layers,
        "down_block_types": ["DownEncoderBlock2D"] * len(mult), "up_block_types": ["UpDecoderBlock2D"] * len(mult),
        "latent_channels": 4, "norm_num_groups": groups, "sample_size": 8, "scaling_factor": 0.18215,
    }  # fmt: skip


def text_config(kind, width, hidden, layers, projection):
    return {
        "architectures": [kind], "hidden_size": width, "intermediate_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": 2, "projection_dim": projection, "vocab_size": 20, "max_position_embeddings": 5,
    }  # fmt: skip


class _Stub:
    """What convert_open_clip_checkpoint asks of the model."""

    def __init__(self, width):
        self.config = type("Config", (), {"hidden_size": width})()


def tensors(shapes, generator, prefix):
    return {prefix + n: torch.randn(s, generator=generator).to(torch.float16) for n, s in shapes.items()}


def check_names(converted, model):
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert {name: tuple(value.shape) for name, value in converted.items()} == wanted


def digest(value):
    value = value.contiguous()
    shape = "x".join(map(str, value.shape))
    return shape + " " + hashlib.sha256(value.numpy().tobytes()).hexdigest()[:16]


def convert(ldm, configs, open_clip_prefix, clip_prefix):
    """{component: {diffusers name: tensor}} by diffusers' converters; CLIP-L keeps its names."""
    result = {"unet": convert_ldm_unet_checkpoint(dict(ldm), configs["unet"])}
    result["vae"] = convert_ldm_vae_checkpoint({k: v for k, v in ldm.items() if k.startswith("first_stage_model.")}, configs["vae"])
    if clip_prefix:
        result["text_encoder"] = {k[len(clip_prefix):]: v for k, v in ldm.items() if k.startswith(clip_prefix)}
        result["text_encoder"].pop("text_model.embeddings.position_ids", None)
    if open_clip_prefix:
        name = "text_encoder_2" if clip_prefix else "text_encoder"
        config = configs[name]
        last = f"{open_clip_prefix}transformer.resblocks.{config['num_hidden_layers']}."
        used = {k: v for k, v in ldm.items() if not k.startswith(last)}
        result[name] = convert_open_clip_checkpoint(_Stub(config["hidden_size"]), used, open_clip_prefix)
        if name == "text_encoder":
            result[name].pop("text_projection.weight", None)
    return result


def index(sdxl):
    found = {
        "_class_name": "StableDiffusionXLPipeline" if sdxl else "StableDiffusionPipeline",
        "scheduler": ["diffusers", "EulerDiscreteScheduler" if sdxl else "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
    if sdxl:
        found |= {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"]}
    return found


def tiny(seed, unet_args, vae_args, clip_prefix, open_clip_prefix, ema=False):
    generator = torch.Generator().manual_seed(seed)
    ldm = tensors(unet(*unet_args), generator, "model.diffusion_model.")
    ldm |= tensors(vae(*vae_args), generator, "first_stage_model.")
    configs = {"unet": unet_config(*unet_args), "vae": vae_config(*vae_args)}
    if clip_prefix:
        ldm |= tensors(clip(4, 6, 2, 20, 5), generator, clip_prefix)
        ldm[clip_prefix + "text_model.embeddings.position_ids"] = torch.arange(5)[None]
        configs["text_encoder"] = text_config("CLIPTextModel", 4, 6, 2, 4)
    if open_clip_prefix:
        name = "text_encoder_2" if clip_prefix else "text_encoder"
        kind = "CLIPTextModelWithProjection" if clip_prefix else "CLIPTextModel"
        # Of Stable Diffusion 2's tower one layer is not used.
        ldm |= tensors(open_clip(6, 8, 2 if clip_prefix else 3, 20, 5, 6), generator, open_clip_prefix)
        configs[name] = text_config(kind, 6, 8, 2, 6)
    expected = convert(ldm, configs, open_clip_prefix, clip_prefix)
    check_names(expected["unet"], UNet2DConditionModel.from_config(configs["unet"]))
    check_names(expected["vae"], AutoencoderKL.from_config(configs["vae"]))
    record = {"model_index": index(bool(clip_prefix and open_clip_prefix)), **configs}
    record["expected"] = {c: {n: digest(v) for n, v in sorted(named.items())} for c, named in expected.items()}
    if ema:
        prefix = "model.diffusion_model."
        average = {k: v * 2 for k, v in ldm.items() if k.startswith(prefix)}
        ldm |= {"model_ema." + "".join(k.split(".")[1:]): v for k, v in average.items()}
        ldm |= {"model_ema.decay": torch.tensor(0.9), "model_ema.num_updates": torch.tensor(7)}
        ema_names = convert_ldm_unet_checkpoint(average, configs["unet"])
        record["expected_ema"] = {n: digest(v) for n, v in sorted(ema_names.items())}
        for name in ("betas", "alphas_cumprod_prev", "sqrt_recip_alphas_cumprod", "posterior_variance", "logvar"):
            ldm[name] = torch.zeros(3)
    return ldm, record


def text_digest(lines):
    return hashlib.sha256("".join(line + "\n" for line in sorted(lines)).encode()).hexdigest()


def key_list(ldm_shapes, converter, model):
    """Digests of the diffusers names, the LDM names, and the pairs "ldm diffusers", one a line, sorted."""
    marks = {name: torch.empty(shape, device="meta") for name, shape in ldm_shapes.items()}
    converted = converter(marks)
    check_names(converted, model)
    by_identity = {id(value): name for name, value in marks.items()}
    # conv_attn_to_linear makes new tensors; their names follow from the only unpaired ones.
    pairs = {new: by_identity[id(value)] for new, value in converted.items() if id(value) in by_identity}
    for new in converted.keys() - pairs.keys():
        half, leaf = new.split(".")[0], new.split("attentions.0.")[1]
        leaf = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}[leaf[: -len(".weight")]]
        pairs[new] = f"{half}.mid.attn_1.{leaf}.weight"
    assert set(pairs.values()) == set(marks)
    parameters = sum(value.numel() for value in model.state_dict().values())
    return {
        "count": len(pairs), "parameters": parameters, "diffusers": text_digest(pairs), "ldm": text_digest(pairs.values()),
        "pairs": text_digest(f"{old} {new}" for new, old in pairs.items()),
        "sample": dict(sorted((old, new) for new, old in pairs.items())[:: max(1, len(pairs) // 12)]),
    }  # fmt: skip


def key_lists():
    lists = {}
    with torch.device("meta"):
        for name, args, more in (
            ("unet_sd15", (320, [1, 2, 4, 4], 2, [1, 1, 1, 0], 768, False), {"heads": 8}),
            ("unet_sd21", (320, [1, 2, 4, 4], 2, [1, 1, 1, 0], 1024, True), {"heads": [5, 10, 20, 20]}),
            ("unet_sdxl", (320, [1, 2, 4], 2, [0, 2, 10], 2048, True, 2816), {"heads": [5, 10, 20], "addition_time_embed_dim": 256}),
        ):
            config = unet_config(*args, groups=32, **more)
            model = UNet2DConditionModel.from_config(config)
            lists[name] = key_list(unet(*args), lambda marks: convert_ldm_unet_checkpoint(
                {"model.diffusion_model." + k: v for k, v in marks.items()}, config), model)
        config = vae_config(128, [1, 2, 4, 4], 2, groups=32)
        lists["vae"] = key_list(vae(128, [1, 2, 4, 4], 2), lambda marks: convert_ldm_vae_checkpoint(
            {"first_stage_model." + k: v for k, v in marks.items()}, config), AutoencoderKL.from_config(config))
    return lists


def main():
    DATA.mkdir(exist_ok=True)
    made = {
        "sd1": tiny(1, (4, [1, 2], 1, [1, 0], 4, False), (4, [1, 2], 1), "cond_stage_model.transformer.", None, ema=True),
        "sd2": tiny(2, (4, [1, 2, 2], 1, [1, 1, 0], 6, True), (4, [1, 1, 2], 1), None, "cond_stage_model.model."),
        "sdxl": tiny(3, (4, [1, 2, 2], 2, [0, 1, 2], 10, True, 30), (4, [1, 2], 2),
                     "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
    }  # fmt: skip
    for name, (ldm, _) in made.items():
        save_file({k: v.contiguous() for k, v in ldm.items()}, DATA / f"{name}.safetensors")
    # A .ckpt as the original code saved it, and small: the same tensors without averages.
    state = {k: v for k, v in made["sd1"][0].items() if not k.startswith("model_ema.")}
    torch.save({"epoch": 3, "state_dict": state}, DATA / "sd1.ckpt")
    records = {name: record for name, (_, record) in made.items()}
    (DATA / "tiny.json").write_text(json.dumps(records, indent=0, sort_keys=True) + "\n")
    (DATA / "key_lists.json").write_text(json.dumps(key_lists(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
