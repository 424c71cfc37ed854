"""DreamBooth with LoRA: diffusers' and transformers' models with PEFT's adapters, as the published training scripts for
Stable Diffusion and SDXL attach, call and optimise them."""

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers.training_utils import compute_snr
from peft import LoraConfig, inject_adapter_in_model
from reference_files import MODELS
from reference_methods import Case, captions, draw_batches, finish, learning_rate, record
from torch.optim.lr_scheduler import LambdaLR

PLACEHOLDER = "<x>"
UNET_MODULES, TEXT_MODULES = "to_q,to_k,to_v,to_out.0", "q_proj,k_proj,v_proj,out_proj"
FEW_UNET, FEW_TEXT = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k,attn1.to_v", "q_proj,out_proj"


class Model:
    """A base model with one or two text encoders in one floating type, all frozen."""

    def __init__(self, name, dtype):
        folder = MODELS / name
        self.dtype, self.sdxl = dtype, (folder / "text_encoder_2").is_dir()
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
        kinds = {"text_encoder": transformers.CLIPTextModel}
        if self.sdxl:
            kinds["text_encoder_2"] = transformers.CLIPTextModelWithProjection
        self.encoders = {part: kind.from_pretrained(folder / part) for part, kind in kinds.items()}
        self.tokenizers = [transformers.CLIPTokenizer.from_pretrained(folder / part.replace("text_encoder", "tokenizer"))
                           for part in kinds]
        config = diffusers.DDPMScheduler.load_config(folder / "scheduler")
        self.scheduler = diffusers.DDPMScheduler.from_config(config)
        for module in (self.unet, *self.encoders.values()):
            module.to(dtype).eval().requires_grad_(False)

    def ids(self, texts, tokenizer):
        return tokenizer(list(texts), padding="max_length", max_length=77, truncation=True,
                         return_tensors="pt").input_ids

    def encode(self, texts):
        """-> context, pooled vector (None without a second encoder)."""
        outputs = [encoder(self.ids(texts, tokenizer), output_hidden_states=True)
                   for encoder, tokenizer in zip(self.encoders.values(), self.tokenizers)]
        if not self.sdxl:
            return outputs[0].last_hidden_state, None
        return torch.cat([output.hidden_states[-2] for output in outputs], dim=-1), outputs[-1].text_embeds


def full_name(component, name):
    """The checkpoint's own name: text models there are one level deeper."""
    deeper = component == "unet" or name.startswith("text_model.")
    return f"{component}.{name}" if deeper else f"{component}.text_model.{name}"


def add_adapters(model, case, dtype):
    """-> two dictionaries of parameters by Atelier's names: of the UNet and of the text encoders."""
    options = case.options
    rank = options.get("rank", 4)

    def adapt(component, module, endings):
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=options.get("lora_alpha", rank), lora_dropout=0.0,
                                           init_lora_weights="gaussian", target_modules=endings.split(",")), module)
        named = {}
        for name, parameter in module.named_parameters():
            if "lora_" not in name:
                assert not parameter.requires_grad
                continue
            assert parameter.requires_grad
            name = full_name(component, name.replace(".default", ""))
            parameter.data = parameter.data.to(dtype)
            if name in case.init:
                parameter.data.copy_(case.init[name])
            else:
                assert "lora_B" in name and (parameter == 0).all()
            named[name] = parameter
        return named

    unet = adapt("unet", model.unet, options.get("target_modules", UNET_MODULES))
    text = {}
    if options.get("train_text_encoder", False):
        for component, encoder in model.encoders.items():
            text |= adapt(component, encoder, options.get("text_target_modules", TEXT_MODULES))
    return unet, text


class Rows:
    """A new token's row at the end of each encoder's table. Only this row may move."""

    def __init__(self, model, case):
        self.tables, self.names, self.before = [], [], []
        word = case.options.get("initializer_token", case.config["class_word"])
        for (component, encoder), tokenizer in zip(model.encoders.items(), model.tokenizers):
            [start] = tokenizer(word, add_special_tokens=False).input_ids
            assert tokenizer.add_tokens([PLACEHOLDER]) == 1
            name = f"{component}.token.{PLACEHOLDER}"
            table = encoder.get_input_embeddings().weight
            row = case.init[name].to(model.dtype) if name in case.init else table[start]
            embedding = torch.nn.Embedding.from_pretrained(torch.cat([table, row[None]]).clone(), freeze=False)
            encoder.set_input_embeddings(embedding)
            assert tokenizer.convert_tokens_to_ids(PLACEHOLDER) == len(embedding.weight) - 1
            self.tables.append(embedding.weight)
            self.names.append(name)
            self.before.append(embedding.weight.detach().clone())

    def clear_others(self):
        for table in self.tables:
            table.grad[:-1] = 0

    def put_others_back(self):
        with torch.no_grad():
            for table, before in zip(self.tables, self.before):
                table[:-1] = before[:-1]

    def rows(self):
        return {name: table[-1] for name, table in zip(self.names, self.tables)}

    def gradients(self):
        return {name: table.grad[-1] for name, table in zip(self.names, self.tables)}


def errors(model, case, step):
    """-> one mean squared error for each row."""
    inputs = case.tensors
    latents, noise = (inputs[f"batch.{step}.{name}"].to(model.dtype) for name in ("latents", "noise"))
    timesteps = inputs[f"batch.{step}.timesteps"]
    context, pooled = model.encode(case.texts[f"batch.{step}.captions"])
    added = {"text_embeds": pooled, "time_ids": inputs[f"batch.{step}.time_ids"]} if model.sdxl else None
    noisy = model.scheduler.add_noise(latents, noise, timesteps)
    prediction = model.unet(noisy, timesteps, context, added_cond_kwargs=added).sample
    velocity = model.scheduler.config.prediction_type == "v_prediction"
    target = model.scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
    rows = F.mse_loss(prediction, target, reduction="none").mean(dim=(1, 2, 3))
    gamma = case.options.get("snr_gamma")
    if gamma is None:
        return rows, torch.ones_like(rows)
    snr = compute_snr(model.scheduler, timesteps)
    weights = torch.minimum(snr, torch.full_like(snr, gamma)) / snr
    return rows, weights + 1 if velocity else weights


def losses(model, case, step):
    rows, weights = errors(model, case, step)
    if not case.options.get("with_prior_preservation", False):
        return {"mse": (rows * weights).mean()}, {"mse": 1.0}
    (own, prior), weights = rows.chunk(2), weights.chunk(2)[0]
    return ({"mse": (own * weights).mean(), "prior": prior.mean()},
            {"mse": 1.0, "prior": case.options.get("prior_loss_weight", 1.0)})


def make_optimizer(case, unet, text, rows):
    """Groups as the scripts make them; a schedule is one factor for all."""
    settings = case.settings
    rate = learning_rate(settings, 1e-4, settings.get("gradient_accumulation_steps", 1))
    decay = settings.get("adam_weight_decay", 1e-2)
    groups = [{"params": list(unet.values()), "lr": rate, "weight_decay": decay}]
    if text:
        groups.append({"params": list(text.values()), "lr": settings.get("text_encoder_lr", rate),
                       "weight_decay": settings.get("adam_weight_decay_text_encoder", decay)})
    if rows:
        groups.append({"params": rows.tables, "lr": settings.get("token_lr", 5e-4), "weight_decay": decay})
    betas = settings.get("adam_beta1", 0.9), settings.get("adam_beta2", 0.999)
    optimizer = torch.optim.AdamW(groups, betas=betas, eps=settings.get("adam_epsilon", 1e-8))
    warmup = settings.get("lr_warmup_steps", 0)
    factor = {"constant": lambda step: 1.0, "constant_with_warmup": lambda step: min(1.0, step / warmup)}
    return optimizer, LambdaLR(optimizer, factor[settings.get("lr_scheduler", "constant")])


def run(case, dtype):
    model = Model(case.model, dtype)
    rows = Rows(model, case) if case.options.get("learn_token", False) else None
    unet, text = add_adapters(model, case, dtype)
    if rows:
        for table in rows.tables:
            table.requires_grad_(True)
    optimizer, schedule = make_optimizer(case, unet, text, rows)
    adapters, outputs = unet | text, {}
    accumulation = case.settings.get("gradient_accumulation_steps", 1)
    for step in range(case.steps):
        terms, weights = losses(model, case, step)
        loss = sum(weights[name] * value for name, value in terms.items())
        (loss / accumulation).backward()
        # SDXL's first encoder is read before its last layer: what that has is without a gradient, and the optimizer
        # passes it over.
        gradients = {name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
                     for name, parameter in adapters.items()}
        clipped = list(adapters.values())
        if rows:
            rows.clear_others()
            gradients |= rows.gradients()
            clipped += rows.tables
        norm = torch.nn.utils.clip_grad_norm_(clipped, case.settings.get("max_grad_norm", 1.0))
        record(outputs, step, loss, terms, {name: value.clone() for name, value in gradients.items()}, norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=False)
        if rows:
            rows.put_others_back()
    return finish(outputs, adapters | (rows.rows() if rows else {})), weights


def init_tensors(model, options, seed, ups, tokens=()):
    """Starts of all downs (which the method draws itself) and, where asked, of ups and tokens."""
    base, rank, shapes = Model(model, torch.float32), options["rank"], {}
    for component, module, endings in [("unet", base.unet, options.get("target_modules", UNET_MODULES)),
                                       *((name, encoder, options.get("text_target_modules", TEXT_MODULES))
                                         for name, encoder in base.encoders.items())]:
        if component != "unet" and not options.get("train_text_encoder", False):
            continue
        for name, layer in module.named_modules():
            if not any(f".{name}".endswith(f".{ending}") for ending in endings.split(",")):
                continue
            out_features, in_features = layer.weight.shape
            shapes[f"init.{full_name(component, name)}.lora_A.weight"] = (rank, in_features)
            if ups:
                shapes[f"init.{full_name(component, name)}.lora_B.weight"] = (out_features, rank)
    for name in tokens:
        width = base.encoders[name.split(".")[0]].config.hidden_size
        shapes[f"init.{name}"] = (width,)
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in sorted(shapes.items())}


def make(name, seed, texts, model="sd15", ups=True, tokens=(), options=None, **settings):
    options = {"rank": 2, **(options or {})}
    config = {"method": "dreambooth_lora", "placeholder": PLACEHOLDER if options.get("learn_token") else "sks",
              "class_word": "man", "options": options}
    if settings:
        config["stages"] = {"lora": settings}
    tensors = draw_batches(seed, len(texts[0]), len(texts))
    if model == "sdxl":
        generator = torch.Generator().manual_seed(seed + 500)
        for step, rows in enumerate(texts):
            sizes = torch.randint(1, 9, [len(rows), 6], generator=generator) * 16.0
            tensors[f"batch.{step}.time_ids"] = sizes
    tensors |= init_tensors(model, options, seed + 1000, ups, tokens)
    return Case(f"dreambooth_lora_{name}", model, "lora", config, tensors, captions(*texts), len(texts))


def cases():
    one, two = "a photo of sks man", "a photo of a red sks man, today"
    few = {"target_modules": FEW_UNET}
    text = {"train_text_encoder": True, "text_target_modules": FEW_TEXT}
    prior = {"with_prior_preservation": True, "prior_loss_weight": 0.5}
    new, other = f"a photo of {PLACEHOLDER} man", f"{PLACEHOLDER} man on the moon"
    classes = ["a photo of man", "two red men, 1999!"]
    return [
        make("readme", 51, [[one], [two]], ups=False, options={"rank": 1}),
        make("text_encoder", 52, [[one, two], [two, one], [one, one]], options={**few, **text, "lora_alpha": 3.0},
             learning_rate=0.002, text_encoder_lr=0.0005, max_grad_norm=0.01),
        make("prior", 53, [[one, two, *classes], [two, one, *classes]], options={**few, **prior},
             gradient_accumulation_steps=2, scale_lr=True, train_batch_size=2, adam_weight_decay=0.1),
        make("token_prior", 54, [[new, other, *classes], [other, new, *classes], [new, new, *classes]],
             options={**few, **text, **prior, "learn_token": True, "snr_gamma": 5.0}, token_lr=0.002),
        make("v_prediction", 55, [[one, two], [two, one], [two, two]], model="sd21",
             options={**few, **text, "snr_gamma": 1.0, "rank": 3}, lr_scheduler="constant_with_warmup",
             lr_warmup_steps=2),
        make("sdxl", 56, [[one, two], [two, one]], model="sdxl",
             options={**few, **text, "snr_gamma": 5.0}, adam_weight_decay=1e-4,
             adam_weight_decay_text_encoder=1e-3, text_encoder_lr=5e-6),
        make("sdxl_token_prior", 57, [[new, classes[0]], [other, classes[1]]], model="sdxl",
             tokens=[f"text_encoder.token.{PLACEHOLDER}", f"text_encoder_2.token.{PLACEHOLDER}"],
             options={**few, **prior, "learn_token": True}),
    ]
