"""What all methods' cases share: the draws, the settings of a stage, the optimizer, and what one step leaves behind."""

import dataclasses
import json

import torch
from diffusers.optimization import get_scheduler

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclasses.dataclass
class Case:
    """`config` is run.yaml; `tensors` and `texts` are the input file, `texts` without `steps`."""
    name: str
    model: str
    stage: str
    config: dict
    tensors: dict
    texts: dict
    steps: int = 3

    @property
    def options(self):
        return self.config.get("options", {})

    @property
    def settings(self):
        return self.config.get("stages", {}).get(self.stage, {})

    @property
    def init(self):
        return {name.removeprefix("init."): tensor for name, tensor in self.tensors.items() if name.startswith("init.")}

    @property
    def metadata(self):
        texts = {name: json.dumps(value, ensure_ascii=False) for name, value in self.texts.items()}
        return {"steps": json.dumps(self.steps), **texts}


def draw_batches(seed, batch, steps, pixels=False):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for step in range(steps):
        if pixels:
            tensors[f"batch.{step}.pixel_values"] = torch.rand([batch, 3, 64, 64], generator=generator) * 2 - 1
        else:
            tensors[f"batch.{step}.latents"] = torch.randn([batch, 4, 8, 8], generator=generator)
        tensors[f"batch.{step}.noise"] = torch.randn([batch, 4, 8, 8], generator=generator)
        tensors[f"batch.{step}.timesteps"] = torch.randint(0, 1000, [batch], generator=generator)
    return tensors


def captions(*batches, key="captions"):
    return {f"batch.{step}.{key}": list(texts) for step, texts in enumerate(batches)}


def learning_rate(settings, default, accumulation):
    rate = settings.get("learning_rate", default)
    if settings.get("scale_lr", False):
        rate *= accumulation * settings.get("train_batch_size", 1)  # and one process
    return rate


def make_optimizer(parameters, settings, rate):
    optimizer = torch.optim.AdamW(
        parameters, lr=rate, betas=(settings.get("adam_beta1", 0.9), settings.get("adam_beta2", 0.999)),
        weight_decay=settings.get("adam_weight_decay", 1e-2), eps=settings.get("adam_epsilon", 1e-8))
    schedule = get_scheduler(settings.get("lr_scheduler", "constant"), optimizer=optimizer,
                             num_warmup_steps=settings.get("lr_warmup_steps", 0),
                             num_training_steps=settings.get("max_train_steps"))
    return optimizer, schedule


def total_norm(gradients):
    return torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))


def record(outputs, step, loss, terms, gradients, norm):
    outputs[f"loss.{step}"] = loss
    for name, value in terms.items():
        outputs[f"loss.{step}.{name}"] = value
    for name, gradient in gradients.items():
        outputs[f"grad.{step}.{name}"] = gradient.clone()
    outputs[f"grad_norm.{step}"] = norm


def finish(outputs, parameters):
    outputs.update({f"param.{name}": value for name, value in parameters.items()})
    return {name: value.detach().clone() for name, value in outputs.items()}
