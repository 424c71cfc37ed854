"""DCO: PEFT's adapters on every attention projection, and rows of the token tables, that have to predict better than
the same UNet with its adapters disabled."""

import diffusers
import peft
import torch
import transformers
from diffusers.training_utils import compute_snr
from reference_files import MODELS
from reference_methods import finish, record, total_norm

PLACEHOLDER = "<x>"
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]
DEFAULTS = {"subject": {"rank": 32, "offset_noise": 0.0}, "style": {"rank": 64}}


class Tower:
    """One text encoder with its tokenizer."""

    def __init__(self, folder, suffix, dtype):
        kind = transformers.CLIPTextModelWithProjection if suffix else transformers.CLIPTextModel
        self.name = f"text_encoder{suffix}"
        self.model = kind.from_pretrained(folder / self.name, torch_dtype=torch.float32).to(dtype).eval()
        self.model.requires_grad_(False)
        self.tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / f"tokenizer{suffix}")
        self.parameter = f"{self.name}.token.{PLACEHOLDER}"

    def add_token(self, case, initializer, dtype, own_norm):
        """The row joins the table; -> the whole table, which the optimizer holds."""
        old = self.model.get_input_embeddings().weight.detach()
        start = case.init.get(self.parameter)
        if initializer:
            ids = self.tokenizer(initializer, add_special_tokens=False)["input_ids"]
            assert len(ids) == 1
            row, self.norm = old[ids[0]], old[ids[0]].norm()
        else:
            row, self.norm = start, start.norm() if own_norm else old.std()
        self.norm = self.norm.to(dtype)
        row = row if start is None else start
        table = torch.nn.Embedding.from_pretrained(torch.cat([old, row[None].to(dtype)]), freeze=True)
        self.model.set_input_embeddings(table)
        assert self.tokenizer.add_tokens([PLACEHOLDER]) == 1
        self.id = self.tokenizer.convert_tokens_to_ids(PLACEHOLDER)
        assert self.id == len(old)
        self.table, self.snapshot = table.weight, table.weight.detach().clone()

    def put_back(self):
        with torch.no_grad():
            self.table[:self.id] = self.snapshot[:self.id]
            row = self.table[self.id]
            row.copy_(row / row.norm().clamp(min=1e-12) * self.norm)

    def encode(self, texts):
        ids = torch.tensor(self.tokenizer(texts, padding="max_length", max_length=77, truncation=True)["input_ids"])
        return ids, self.model(ids, output_hidden_states=True)


class Side:
    """Everything of a case in one floating type."""

    def __init__(self, case, dtype):
        folder = MODELS / case.model
        self.case, self.dtype, self.sdxl = case, dtype, case.model == "sdxl"
        self.options = case.options
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).to(dtype)
        self.unet.eval().requires_grad_(False)
        self.scheduler = diffusers.DDPMScheduler.from_pretrained(folder / "scheduler")
        self.towers = [Tower(folder, suffix, dtype) for suffix in (["", "_2"] if self.sdxl else [""])]
        self.lora = self.add_adapters()
        if case.stage == "subject":
            initializer = self.options.get("initializer_token", case.config["class_word"])
            for tower in self.towers:
                tower.add_token(case, initializer, dtype, self.options.get("random_norm") == "own")
                tower.table.requires_grad_(self.trains_rows)

    @property
    def trains_rows(self):
        return self.case.stage == "subject" and self.options.get("ti_update", "trained") != "frozen"

    def add_adapters(self):
        rank = self.options.get("rank", DEFAULTS[self.case.stage]["rank"])
        self.unet.add_adapter(peft.LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian",
                                              target_modules=TARGETS))
        parameters = {}
        for name, module in self.unet.named_modules():
            if not isinstance(module, peft.tuners.lora.layer.LoraLayer):
                continue
            for half in ("lora_A", "lora_B"):
                linear, full = getattr(module, half)["default"], f"unet.{name}.{half}.weight"
                if half == "lora_B":
                    assert not linear.weight.any()
                if full in self.case.init or half == "lora_A":
                    assert linear.weight.shape == self.case.init[full].shape
                    linear.weight.data = self.case.init[full].to(self.dtype, copy=True)
                linear.weight.data = linear.weight.data.to(self.dtype)
                parameters[full] = linear.weight
        return parameters

    def encode(self, texts):
        """-> context and, for SDXL, the pooled vector of the second encoder at the largest id or the end token."""
        if not self.sdxl:
            return self.towers[0].encode(texts)[1].last_hidden_state, None
        outputs = [tower.encode(texts) for tower in self.towers]
        ids, second = outputs[1]
        end = self.towers[1].tokenizer.eos_token_id
        place = (ids == end).int().argmax(1) if self.options.get("pool") == "eos" else ids.argmax(1)
        model = self.towers[1].model
        pooled = model.text_projection(second.last_hidden_state[torch.arange(len(ids)), place])
        return torch.cat([output.hidden_states[-2] for _, output in outputs], dim=-1), pooled

    def prediction(self, step, noisy, condition):
        context, pooled = condition
        inputs, added = self.case.tensors, None
        if self.sdxl:
            added = {"text_embeds": pooled, "time_ids": inputs[f"batch.{step}.time_ids"].to(self.dtype)}
        return self.unet(noisy, inputs[f"batch.{step}.timesteps"], context, added_cond_kwargs=added).sample

    def weighted_errors(self, prediction, target, timesteps):
        """One number a row."""
        errors = (prediction - target).pow(2).mean(dim=(1, 2, 3))
        gamma = self.options.get("snr_gamma")
        if gamma is None:
            return errors
        snr = compute_snr(self.scheduler, timesteps)
        weights = torch.stack([snr, gamma * torch.ones_like(snr)], dim=1).min(dim=1)[0] / snr
        if self.scheduler.config.prediction_type == "v_prediction":
            weights = weights + 1
        return errors * weights

    def terms(self, step):
        """-> the loss and its parts."""
        inputs = self.case.tensors
        latents, noise = (inputs[f"batch.{step}.{name}"].to(self.dtype) for name in ("latents", "noise"))
        timesteps = inputs[f"batch.{step}.timesteps"]
        noisy, target = self.scheduler.add_noise(latents, noise, timesteps), noise
        if self.scheduler.config.prediction_type == "v_prediction":
            target = self.scheduler.get_velocity(latents, noise, timesteps)
        condition = self.encode(self.case.texts[f"batch.{step}.captions"])
        own = self.weighted_errors(self.prediction(step, noisy, condition), target, timesteps)
        beta = self.options.get("dcoloss_beta", 1000.0)
        if beta <= 0:
            return own.mean(), {"mse": own.mean()}, {"mse": 1.0}
        with torch.no_grad():
            base = condition
            if self.case.stage == "subject":
                base = self.encode(self.case.texts[f"batch.{step}.base_captions"])
            self.unet.disable_adapters()
            reference = self.weighted_errors(self.prediction(step, noisy, base), target, timesteps)
            self.unet.enable_adapters()
        parts = {"mse": own.mean(), "reference": reference.mean()}
        zero = torch.zeros((), dtype=self.dtype)
        if self.options.get("sigmoid_reduction") == "per_sample":
            loss = torch.logaddexp(zero, beta * (own - reference)).mean()
            return loss, {**parts, "dco": loss}, {"mse": 0.0, "reference": 0.0, "dco": 1.0}
        return torch.logaddexp(zero, beta * (parts["mse"] - parts["reference"])), parts, {"mse": 1.0, "reference": -1.0}

    def rows(self):
        return {tower.parameter: tower.table for tower in self.towers} if self.trains_rows else {}


def make_optimizer(side, settings):
    """Groups: adapters, then each table at its own rate."""
    options, accumulation = side.options, settings.get("gradient_accumulation_steps", 1)
    rate, decay = settings.get("learning_rate", 5e-5), settings.get("adam_weight_decay", 1e-4)
    if settings.get("scale_lr", False):
        rate *= accumulation * settings.get("train_batch_size", 1)
    groups = [{"params": list(side.lora.values()), "lr": rate, "weight_decay": decay}]
    for table in side.rows().values():
        groups.append({"params": [table], "lr": options.get("text_encoder_lr", 5e-6) or rate,
                       "weight_decay": options.get("adam_weight_decay_text_encoder") or decay})
    optimizer = torch.optim.AdamW(groups, betas=(settings.get("adam_beta1", 0.9), settings.get("adam_beta2", 0.999)),
                                  eps=settings.get("adam_epsilon", 1e-8))
    schedule = diffusers.optimization.get_scheduler(
        settings.get("lr_scheduler", "constant"), optimizer=optimizer,
        num_warmup_steps=settings.get("lr_warmup_steps", 0), num_training_steps=options.get("max_train_steps"))
    return optimizer, schedule, accumulation


def run(case, dtype):
    torch.manual_seed(0)
    side = Side(case, dtype)
    settings = case.settings
    optimizer, schedule, accumulation = make_optimizer(side, settings)
    tables = side.rows()
    learned = list(side.lora.values()) + list(tables.values())
    outputs, weights = {}, {}
    for step in range(case.steps):
        loss, terms, weights = side.terms(step)
        (loss / accumulation).backward()
        gradients = {name: parameter.grad for name, parameter in side.lora.items()}
        gradients |= {name: table.grad[-1] for name, table in tables.items()}
        norm = total_norm([parameter.grad for parameter in learned])
        record(outputs, step, loss, terms, gradients, norm)
        if settings.get("max_grad_norm", 1.0) > 0:
            torch.nn.utils.clip_grad_norm_(learned, settings.get("max_grad_norm", 1.0))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if case.stage == "subject":
            for tower in side.towers:
                tower.put_back()
    parameters = dict(side.lora) | {name: table[-1] for name, table in tables.items()}
    return finish(outputs, parameters), weights
