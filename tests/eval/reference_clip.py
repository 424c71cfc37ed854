"""A tiny CLIP: random weights, 32 pixels, the vocabulary of the tiny Stable Diffusion 1.5."""

import pathlib
import shutil
import sys

import torch
import transformers

PARITY = pathlib.Path(__file__).resolve().parents[1] / "parity"
sys.path.append(str(PARITY))

from reference_files import randomise, write_config, write_tensors  # noqa: E402

TOKENIZER = PARITY / "models/sd15/tokenizer"


def write(folder):
    tokenizer = transformers.CLIPTokenizer.from_pretrained(TOKENIZER)
    text = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "projection_dim": 24,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": 2}
    vision = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4,
              "image_size": 32, "patch_size": 8, "projection_dim": 24, "hidden_act": "quick_gelu"}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    model = randomise(transformers.CLIPModel._from_config(config), 40)
    write_config(folder, model.config.to_json_string(use_diff=False), architectures=["CLIPModel"])
    write_tensors(folder / "model.safetensors", model.state_dict())
    for file in sorted(TOKENIZER.iterdir()):
        shutil.copyfile(file, folder / file.name)


class Encoder:
    """Features, not normalised, in one floating type."""

    def __init__(self, folder, dtype):
        self.dtype = dtype
        self.model = transformers.CLIPModel.from_pretrained(folder, torch_dtype=torch.float32,
                                                            attn_implementation="sdpa").to(dtype).eval()
        self.tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
        self.size = self.model.config.vision_config.image_size

    @torch.no_grad()
    def images(self, pixels):
        return self.model.get_image_features(pixel_values=pixels).pooler_output

    @torch.no_grad()
    def texts(self, texts):
        ids = self.tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt")["input_ids"]
        assert ids.shape[1] == 77
        return self.model.get_text_features(input_ids=ids).pooler_output
