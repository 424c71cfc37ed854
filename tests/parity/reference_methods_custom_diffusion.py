"""Custom Diffusion: diffusers' own attention processor for it, installed and optimised as the published training script
does; with `detach_start_token` as it is, else with that line of it undone."""

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor2_0
from reference_methods import Case, captions, draw_batches, finish, learning_rate, make_optimizer, record
from reference_methods_model import Pipeline
from reference_methods_rows import start_rows
from reference_methods_two_towers import TwoTowers, draw_time_ids

PLACEHOLDER = "<new1>"
TOKEN = f"text_encoder.token.{PLACEHOLDER}"


class UndetachedProcessor(CustomDiffusionAttnProcessor2_0):
    """The same without that line: keys and values of the start token teach too."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        if encoder_hidden_states is None:
            return super().__call__(attn, hidden_states)
        query = (self.to_q_custom_diffusion if self.train_q_out else attn.to_q)(hidden_states)
        key, value = self.to_k_custom_diffusion(encoder_hidden_states), self.to_v_custom_diffusion(encoder_hidden_states)
        heads = (x.unflatten(-1, [attn.heads, -1]).transpose(1, 2) for x in (query, key, value))
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        return (self.to_out_custom_diffusion if self.train_q_out else attn.to_out)[0](mixed)


def install(unet, queries, detach, init):
    """-> parameters by the names of the weights that they stand for."""
    kind = CustomDiffusionAttnProcessor2_0 if detach else UndetachedProcessor
    processors, parameters = {}, {}
    for name in unet.attn_processors:
        layer = name.removesuffix(".processor")
        attention = unet.get_submodule(layer)
        if layer.endswith("attn1"):
            processors[name] = kind(train_kv=False, train_q_out=False)
            continue
        width, text_width = attention.to_k.weight.shape
        processor = kind(train_kv=True, train_q_out=queries, hidden_size=width,
                         cross_attention_dim=text_width).to(attention.to_k.weight.dtype)
        state = {}
        for parameter in processor.state_dict():
            own = f"{layer}.{parameter.replace('_custom_diffusion', '')}"
            state[parameter] = init.get(f"unet.{own}", unet.get_parameter(own))
        processor.load_state_dict(state)
        for parameter, value in processor.named_parameters():
            parameters[f"unet.{layer}.{parameter.replace('_custom_diffusion', '')}"] = value
        processors[name] = processor
    unet.set_attn_processor(processors)
    return parameters


class OneTower:
    """A pipeline with its one token table, as TwoTowers has two."""

    def __init__(self, case, dtype):
        self.pipeline = Pipeline(case.model, dtype, [PLACEHOLDER])
        self.unet, self.tables = self.pipeline.unet, []

    def add_tokens(self, words, initializer, init):
        rows = start_rows(self.pipeline, self.pipeline.single_token(initializer), [TOKEN], init)
        self.tables = [self.pipeline.add_rows(rows).requires_grad_(True)]
        self.before = self.tables[0].detach().clone()
        return [TOKEN]

    def new_rows(self, tables):
        return [tables[0][-1]]

    def put_others_back(self):
        with torch.no_grad():
            self.tables[0][:-1] = self.before[:-1]

    def encode(self, texts):
        return [self.pipeline.text_encoder(self.pipeline.tokenize(texts)).last_hidden_state]

    def prediction_and_target(self, inputs, step, context):
        return self.pipeline.prediction_and_target(inputs, step, context)


def losses(case, model, step):
    condition = model.encode(case.texts[f"batch.{step}.captions"])
    prediction, target = model.prediction_and_target(case.tensors, step, *condition)
    mask, terms, weights = case.tensors.get(f"batch.{step}.mask"), {}, {"mse": 1.0}
    if case.options.get("with_prior_preservation", False):
        (prediction, prior), (target, prior_target) = prediction.chunk(2), target.chunk(2)
        mask = None if mask is None else mask.chunk(2)[0]
        terms["prior"], weights["prior"] = F.mse_loss(prior, prior_target), case.options.get("prior_loss_weight", 1.0)
    if mask is None:
        terms["mse"] = F.mse_loss(prediction, target)
    else:
        error = F.mse_loss(prediction, target, reduction="none")
        terms["mse"] = ((error * mask).sum([1, 2, 3]) / mask.sum([1, 2, 3])).mean()
    return terms, weights


def rate_of(case):
    rate = learning_rate(case.settings, 1e-5, case.settings.get("gradient_accumulation_steps", 1))
    twice = case.settings.get("scale_lr", False) and case.options.get("with_prior_preservation", False)
    return 2 * rate if twice else rate


def run(case, dtype):
    model = TwoTowers(case.model, dtype) if case.model == "sdxl" else OneTower(case, dtype)
    names = model.add_tokens([PLACEHOLDER], case.options.get("initializer_token", case.config["class_word"]), case.init)
    weights = install(model.unet, case.options.get("freeze_model", "crossattn_kv") == "crossattn",
                      case.options.get("detach_start_token", False), case.init)
    learned = [*model.tables, *weights.values()]
    assert all(value.requires_grad for value in learned)
    optimizer, schedule = make_optimizer(learned, case.settings, rate_of(case))
    accumulation, outputs = case.settings.get("gradient_accumulation_steps", 1), {}
    for step in range(case.steps):
        terms, term_weights = losses(case, model, step)
        loss = sum(term_weights[name] * value for name, value in terms.items())
        (loss / accumulation).backward()
        for table in model.tables:
            table.grad[:-1] = 0
        gradients = dict(zip(names, model.new_rows([table.grad for table in model.tables])))
        gradients |= {name: value.grad for name, value in weights.items()}
        gradients = {name: value.clone() for name, value in gradients.items()}
        norm = torch.nn.utils.clip_grad_norm_(learned, case.settings.get("max_grad_norm", 1.0))
        record(outputs, step, loss, terms, gradients, norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=False)
        model.put_others_back()  # the script lets weight decay at the other rows; it does not save them
    return finish(outputs, dict(zip(names, model.new_rows(model.tables))) | weights), term_weights


def masks(seed, rows, steps):
    """Rectangles, as scaled photos have them, and one of everything."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for step in range(steps):
        mask = torch.zeros(rows, 1, 8, 8)
        for row in range(rows):
            top, left, height, width = torch.randint(1, 4, [4], generator=generator).tolist()
            mask[row, :, top:top + height + 1, left:left + width + 1] = 1
        mask[step % rows] = 1
        tensors[f"batch.{step}.mask"] = mask
    return tensors


def make(name, seed, texts, model="sd15", masked=True, init=False, options=None, **settings):
    config = {"method": "custom_diffusion", "placeholder": PLACEHOLDER, "class_word": "man"}
    if options:
        config["options"] = options
    config["stages"] = {"kv": {"learning_rate": 0.01, "adam_epsilon": 1e-5, **settings}}
    tensors = draw_batches(seed, len(texts[0]), len(texts))
    if masked:
        tensors |= masks(seed + 500, len(texts[0]), len(texts))
    if model == "sdxl":
        tensors |= draw_time_ids(seed + 600, texts)
    if init:
        generator = torch.Generator().manual_seed(seed + 1000)
        tensors[f"init.{TOKEN}"] = 0.5 * torch.randn(32, generator=generator)
        weight = Pipeline(model, torch.float32, []).unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_k.weight
        tensors["init.unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"] = (
            weight.detach() + 0.1 * torch.randn(weight.shape, generator=generator))
    return Case(f"custom_diffusion_{name}", model, "kv", config, tensors, captions(*texts), len(texts))


def cases():
    one, far, near = (text.format(f"{PLACEHOLDER} man") for text in ("photo of a {}", "very small photo of a {}",
                                                                     "zoomed in photo of a {}"))
    classes = ["man", "two red men, 1999!"]
    prior = {"with_prior_preservation": True, "prior_loss_weight": 0.5}
    return [
        make("plain", 61, [[one, far], [near, one], [one, one]]),
        make("no_mask", 62, [[one]], masked=False, init=True, options={"initializer_token": "red"}),
        make("prior_detached", 63, [[one, far, *classes], [near, one, *classes]],
             options={**prior, "detach_start_token": True}, scale_lr=True, train_batch_size=2, learning_rate=0.003),
        make("crossattn_v_prediction", 64, [[one, near]], model="sd21",
             options={"freeze_model": "crossattn", "detach_start_token": True}, max_grad_norm=0.05,
             adam_weight_decay=0.1),
        make("prior_accumulation", 65, [[one, near, *classes]], options=prior,
             gradient_accumulation_steps=2, init=True),
        make("sdxl_prior", 66, [[far, classes[1]]], model="sdxl", options=prior),
    ]
