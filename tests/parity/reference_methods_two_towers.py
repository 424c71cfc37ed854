"""A tiny SDXL in one floating type, all frozen, with new tokens in both text encoders: encoded, called and put back as
diffusers' training scripts for SDXL do."""

import diffusers
import torch
import transformers
from reference_files import MODELS

TOWERS = {"text_encoder": transformers.CLIPTextModel, "text_encoder_2": transformers.CLIPTextModelWithProjection}


class TwoTowers:
    def __init__(self, name, dtype):
        folder = MODELS / name
        self.dtype = dtype
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        self.encoders = {tower: kind.from_pretrained(folder / tower, torch_dtype=torch.float32)
                         for tower, kind in TOWERS.items()}
        self.tokenizers = [transformers.CLIPTokenizer.from_pretrained(folder / tower.replace("text_encoder", "tokenizer"))
                           for tower in TOWERS]
        config = diffusers.DDPMScheduler.load_config(folder / "scheduler")
        self.scheduler = diffusers.DDPMScheduler.from_config(config)
        for module in (self.unet, *self.encoders.values()):
            module.to(dtype).eval().requires_grad_(False)
        self.count, self.tables, self.before = 0, [], []

    def add_tokens(self, words, initializer, init):
        """Appends rows to both token tables, which then learn; -> their names, tower by tower."""
        self.count, names = len(words), []
        for (tower, encoder), tokenizer in zip(self.encoders.items(), self.tokenizers):
            [start] = tokenizer(initializer, add_special_tokens=False)["input_ids"]
            assert tokenizer.add_tokens(words) == len(words)
            own = [f"{tower}.token.{word}" for word in words]
            table = encoder.get_input_embeddings().weight
            rows = torch.stack([init[name].to(self.dtype) if name in init else table[start] for name in own])
            embedding = torch.nn.Embedding.from_pretrained(torch.cat([table, rows]).clone(), freeze=False)
            encoder.set_input_embeddings(embedding)
            assert tokenizer.convert_tokens_to_ids(words[-1]) == len(embedding.weight) - 1
            self.tables.append(embedding.weight)
            self.before.append(embedding.weight.detach().clone())
            names += own
        return names

    def new_rows(self, tables):
        return [row for table in tables for row in table[-self.count:]]

    def put_others_back(self):
        with torch.no_grad():
            for table, before in zip(self.tables, self.before):
                table[:-self.count] = before[:-self.count]

    def encode(self, texts):
        """-> context, pooled text. A new token's id is the largest: the pooled text is read there."""
        outputs = []
        for encoder, tokenizer in zip(self.encoders.values(), self.tokenizers):
            ids = tokenizer(list(texts), padding="max_length", max_length=77, truncation=True)["input_ids"]
            outputs.append(encoder(torch.tensor(ids), output_hidden_states=True))
        return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds

    def prediction_and_target(self, inputs, step, context, pooled):
        latents, noise = (inputs[f"batch.{step}.{name}"].to(self.dtype) for name in ("latents", "noise"))
        timesteps = inputs[f"batch.{step}.timesteps"]
        added = {"text_embeds": pooled, "time_ids": inputs[f"batch.{step}.time_ids"].to(self.dtype)}
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        prediction = self.unet(noisy, timesteps, context, added_cond_kwargs=added).sample
        if self.scheduler.config.prediction_type == "v_prediction":
            return prediction, self.scheduler.get_velocity(latents, noise, timesteps)
        return prediction, noise


def draw_time_ids(seed, texts):
    """Sizes and crops, other ones for every row."""
    generator = torch.Generator().manual_seed(seed)
    return {f"batch.{step}.time_ids": torch.randint(1, 9, [len(rows), 6], generator=generator) * 16.0
            for step, rows in enumerate(texts)}
