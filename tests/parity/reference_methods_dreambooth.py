"""DreamBooth: every weight of the UNet learns, and where asked those of the text encoder, as train_dreambooth.py does
it. Gradients and changes are written as sketches."""

import reference_sketch
import torch
import torch.nn.functional as F
from diffusers.training_utils import compute_snr
from reference_methods import Case, captions, draw_batches, learning_rate, make_optimizer, total_norm
from reference_methods_model import Pipeline

INSTANCE, OTHER, CLASS = "a photo of sks man", "a painting of sks man on the moon", "a photo of man"


def trained_parameters(pipeline, options):
    """Name -> leaf. transformers names its modules without the file's "text_model."."""
    parameters = {f"unet.{name}": value for name, value in pipeline.unet.named_parameters()}
    if options.get("train_text_encoder", False):
        names = pipeline.text_encoder.named_parameters()
        parameters.update({f"text_encoder.text_model.{name}": value for name, value in names})
    for value in parameters.values():
        value.requires_grad_(True)
    return parameters


def instance_loss(prediction, target, timesteps, scheduler, gamma):
    if gamma is None:
        return F.mse_loss(prediction, target)
    snr = compute_snr(scheduler, timesteps)
    weights = torch.stack([snr, gamma * torch.ones_like(timesteps)], dim=1).min(dim=1)[0] / snr
    if scheduler.config.prediction_type == "v_prediction":
        weights = weights + 1
    return (F.mse_loss(prediction, target, reduction="none").mean(dim=(1, 2, 3)) * weights).mean()


def loss_of(case, pipeline, step):
    """-> loss, terms. With prior preservation the second half of the rows shows the class."""
    options, timesteps = case.options, case.tensors[f"batch.{step}.timesteps"]
    ids = pipeline.tokenize(case.texts[f"batch.{step}.captions"])
    context = pipeline.text_encoder(ids).last_hidden_state
    prediction, target = pipeline.prediction_and_target(case.tensors, step, context)
    gamma = options.get("snr_gamma")
    if not options.get("with_prior_preservation", False):
        loss = instance_loss(prediction, target, timesteps, pipeline.scheduler, gamma)
        return loss, {"mse": loss}
    (own, of_class), (target, class_target) = prediction.chunk(2), target.chunk(2)
    mse = instance_loss(own, target, timesteps[:len(own)], pipeline.scheduler, gamma)
    prior = F.mse_loss(of_class, class_target)
    return mse + options.get("prior_loss_weight", 1.0) * prior, {"mse": mse, "prior": prior}


def run(case, dtype):
    pipeline = Pipeline(case.model, dtype, [])
    parameters = trained_parameters(pipeline, case.options)
    start = {name: value.detach().clone() for name, value in parameters.items()}
    accumulation = case.settings.get("gradient_accumulation_steps", 1)
    limit = case.settings.get("max_grad_norm", 1.0)
    optimizer, schedule = make_optimizer(parameters.values(), case.settings,
                                         learning_rate(case.settings, 5e-6, accumulation))
    outputs = {}
    for step in range(case.steps):
        loss, terms = loss_of(case, pipeline, step)
        (loss / accumulation).backward()
        gradients = {name: value.grad for name, value in parameters.items()}
        outputs[f"loss.{step}"] = loss
        outputs.update({f"loss.{step}.{name}": value for name, value in terms.items()})
        outputs[f"grad.{step}.sketch"] = reference_sketch.table(gradients)
        outputs[f"grad_norm.{step}"] = total_norm(gradients.values())
        torch.nn.utils.clip_grad_norm_(parameters.values(), limit)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    changes = {name: value.detach() - start[name] for name, value in parameters.items()}
    outputs["change.sketch"] = reference_sketch.table(changes)
    weights = {"mse": 1.0}
    if case.options.get("with_prior_preservation", False):
        weights["prior"] = case.options.get("prior_loss_weight", 1.0)
    return {name: value.detach().clone() for name, value in outputs.items()}, weights


def make(name, seed, texts, model="sd15", options=None, **settings):
    config = {"method": "dreambooth", "placeholder": "sks", "class_word": "man"}
    if options:
        config["options"] = options
    config["stages"] = {"finetune": {"learning_rate": 1e-3, "adam_epsilon": 1e-5, **settings}}
    tensors = draw_batches(seed, len(texts[0]), len(texts))
    return Case(f"dreambooth_{name}", model, "finetune", config, tensors, captions(*texts), len(texts))


def cases():
    plain, pair = [[INSTANCE]] * 3, [[INSTANCE, OTHER]] * 2
    halves = [[INSTANCE, INSTANCE, CLASS, CLASS], [INSTANCE, OTHER, CLASS, CLASS]]
    prior = {"with_prior_preservation": True, "prior_loss_weight": 0.5}
    return [
        make("plain", 301, plain, adam_epsilon=1e-8),
        make("v_prediction", 302, pair, model="sd21", options={"snr_gamma": 5.0}, max_grad_norm=0.05),
        make("prior", 303, halves, options={**prior, "snr_gamma": 1.0}, max_grad_norm=0.5),
        make("text_encoder", 304, pair, options={"train_text_encoder": True}, max_grad_norm=0.05),
        make("text_encoder_prior_v_prediction", 305, halves, model="sd21",
             options={"train_text_encoder": True, **prior}, adam_weight_decay=0.1),
        make("accumulation", 306, pair, gradient_accumulation_steps=2, scale_lr=True, train_batch_size=2,
             lr_scheduler="constant_with_warmup", lr_warmup_steps=1),
    ]
