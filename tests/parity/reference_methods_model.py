"""A tiny pipeline in one floating type, with new tokens, and the two things that every training step needs of it."""

import diffusers
import torch
import torch.nn.functional as F
import transformers
from reference_check import load_vae
from reference_files import MODELS


class Pipeline:
    def __init__(self, name, dtype, placeholders):
        folder = MODELS / name
        self.dtype = dtype
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).to(dtype)
        self.text_encoder = transformers.CLIPTextModel.from_pretrained(
            folder / "text_encoder", torch_dtype=torch.float32, attn_implementation="sdpa").to(dtype)
        self.vae = load_vae(folder / "vae").to(dtype)
        self.scheduler = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")
        self.tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")
        for module in (self.unet, self.text_encoder, self.vae):
            module.eval().requires_grad_(False)
        self.vocabulary = len(self.tokenizer)
        assert self.tokenizer.add_tokens(placeholders) == len(placeholders)
        self.token_ids = self.tokenizer.convert_tokens_to_ids(placeholders)
        assert self.token_ids == list(range(self.vocabulary, self.vocabulary + len(placeholders)))

    def single_token(self, word):
        ids = self.tokenizer(word, add_special_tokens=False)["input_ids"]
        assert len(ids) == 1, f"{word!r} is {len(ids)} tokens"
        return ids[0]

    def add_rows(self, rows):
        """Appends rows to the token table; -> the whole table, a leaf."""
        table = torch.cat([self.text_encoder.get_input_embeddings().weight, rows.to(self.dtype)])
        embedding = torch.nn.Embedding.from_pretrained(table.clone(), freeze=True)
        self.text_encoder.set_input_embeddings(embedding)
        return embedding.weight

    def tokenize(self, texts):
        ids = self.tokenizer(list(texts), padding="max_length", max_length=77, truncation=True)["input_ids"]
        return torch.tensor(ids)

    def latents(self, inputs, step):
        if f"batch.{step}.latents" in inputs:
            return inputs[f"batch.{step}.latents"].to(self.dtype)
        with torch.no_grad():
            posterior = self.vae.encode(inputs[f"batch.{step}.pixel_values"].to(self.dtype)).latent_dist
        return posterior.mean * self.vae.config.scaling_factor

    def prediction_and_target(self, inputs, step, context):
        latents, noise = self.latents(inputs, step), inputs[f"batch.{step}.noise"].to(self.dtype)
        timesteps = inputs[f"batch.{step}.timesteps"]
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        prediction = self.unet(noisy, timesteps, context).sample
        if self.scheduler.config.prediction_type == "v_prediction":
            return prediction, self.scheduler.get_velocity(latents, noise, timesteps)
        return prediction, noise

    def noise_loss(self, inputs, step, context):
        return F.mse_loss(*self.prediction_and_target(inputs, step, context))
