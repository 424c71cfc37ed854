"""The tiny models whose LoRA files make_lora_references.py writes, and the matrices of those files."""

import math

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

RANK = 2


def unet_sd():
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12)


def unet_sdxl():
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=2, norm_num_groups=4, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2), cross_attention_dim=20, use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=32)


def clip(width, projection=False):
    config = CLIPTextConfig(hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=2,
                            vocab_size=20, projection_dim=width, bos_token_id=18, eos_token_id=19)
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def build(name):
    torch.manual_seed(0)
    if name == "sd":
        return {"unet": unet_sd(), "text_encoder": clip(12)}
    return {"unet": unet_sdxl(), "text_encoder": clip(8), "text_encoder_2": clip(12, projection=True)}


def is_layer(module):
    return isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))


def path_of(component, name):
    """transformers 5 drops "text_model." from CLIPTextModel; files and our models have it."""
    top = name.startswith("text_model.") or name.startswith("text_projection")
    return name if component == "unet" or top else "text_model." + name


def layers_of(models):
    """{(component, path): weight shape}, in the order of the walk through modules()."""
    return {(component, path_of(component, name)): tuple(module.weight.shape)
            for component, model in models.items() for name, module in model.named_modules() if is_layer(module)}


class Truth:
    """The matrices of every layer of a target."""

    def __init__(self, name):
        self.name = name
        self.layers = layers_of(build(name))
        self.number = {key: n for n, key in enumerate(sorted(self.layers))}

    def matrix(self, key, half, rank=RANK):
        shape = self.layers[key]
        kernel = shape[2:]
        wanted = (shape[0], rank) + (1,) * len(kernel) if half else (rank, shape[1]) + kernel
        i = torch.arange(math.prod(wanted))
        return (((5 * i + 3 * self.number[key] + 7 * half) % 17 - 8) / 16).reshape(wanted).float()

    def pick(self, *endings, component=None):
        return [k for k in self.layers if k[1].endswith(endings) and component in (None, k[0])]


def walk(model, classes, kinds=(torch.nn.Linear,)):
    """Layers below modules of these classes: modules() of the model, then named_modules() of each."""
    names = {id(module): name for name, module in model.named_modules()}
    return [names[id(layer)] for above in model.modules() if type(above).__name__ in classes
            for layer in above.modules() if isinstance(layer, kinds)]


def registered_as_of_old(model):
    """Until 2023 a transformer block registered its feed-forward layers before its second attention."""
    for module in model.modules():
        if type(module).__name__ == "BasicTransformerBlock":
            order = sorted(module._modules, key=lambda name: {"attn1": 0, "ff": 1}.get(name, 2))
            module._modules = {name: module._modules[name] for name in order}
    return model
