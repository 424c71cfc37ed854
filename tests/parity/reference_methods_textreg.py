"""TextReg: an identifier whose norm is drawn to its start's, then low-rank keys and values kept silent on texts."""

import reference_methods_clip as clip
import reference_methods_lora as lora
import torch
import torch.nn.functional as F
from reference_methods import finish, learning_rate, make_optimizer, record
from reference_methods_model import Pipeline
from reference_methods_rows import start_rows, train_rows

PLACEHOLDER = "<krk1>"
TOKEN = f"text_encoder.token.{PLACEHOLDER}"
ACCUMULATION, ROW_RATE, LORA_RATE = 4, 5e-4, 1e-4


class Side:
    """The pipeline with the identifier in it, and its encoder calls."""

    def __init__(self, case, dtype):
        self.case = case
        self.pipeline = Pipeline(case.model, dtype, [PLACEHOLDER])
        initializer = case.options["initializer_id"]
        self.target_norm = self.pipeline.text_encoder.get_input_embeddings().weight[initializer].norm()
        self.table = self.pipeline.add_rows(start_rows(self.pipeline, initializer, [TOKEN], case.init))
        self.class_length = len(self.pipeline.tokenizer(case.config["class_word"], add_special_tokens=False).input_ids)

    def encode(self, texts, mask_identifier):
        ids = self.pipeline.tokenize(texts)
        identifier = self.pipeline.token_ids[0]
        assert (ids == identifier).any() or not mask_identifier
        chosen = clip.masks(ids, identifier, self.class_length) if mask_identifier else clip.allowed(ids.shape[1])
        return clip.encode(self.pipeline.text_encoder, ids, chosen)

    def call(self, step, key, call=None):
        """The encoder call number `call` of those that draw; None: a text without the placeholder."""
        drawn = call is not None and bool(self.case.tensors[f"batch.{step}.mask_identifier"][call])
        return self.encode(self.case.texts[f"batch.{step}.{key}"], drawn)

    def inject(self):
        rank = self.case.options["lora_rank"]
        return lora.inject(self.pipeline.unet, self.case.init, rank, self.pipeline.dtype)


def run_rows(case, dtype):
    side = Side(case, dtype)
    carries = case.options.get("carry_ti_grads", False)
    parameters = side.inject()[1] if carries else {}

    def decay(rate):
        row = side.table[side.pipeline.token_ids[0]]
        norm, share = row.norm(), min(1.0, 100 * rate)
        row.copy_(row / norm.clamp(min=1e-12) * (norm + share * (side.target_norm - norm)))

    accumulation = case.settings.get("gradient_accumulation_steps", ACCUMULATION)
    outputs = train_rows(case, side.pipeline, side.table, [TOKEN], lambda step: side.call(step, "captions", 0),
                         accumulation, ROW_RATE, decay)
    outputs |= {f"carry.{name}": parameter.grad for name, parameter in parameters.items()}
    return outputs, {"mse": 1.0}


def losses(side, step, modules, weights):
    """-> unweighted terms."""
    case = side.case
    prediction, target = side.pipeline.prediction_and_target(case.tensors, step, side.call(step, "captions", 0))
    terms = {}
    if "prior" in weights:
        (prediction, prior), (target, prior_target) = prediction.chunk(2), target.chunk(2)
        terms["prior"] = F.mse_loss(prior, prior_target)
    terms["mse"] = F.mse_loss(prediction, target)
    terms["r_class"] = lora.regulariser(modules, side.call(step, "class_prompts"), (".to_k", ".to_v"))
    terms["r_edit"] = lora.regulariser(modules, side.call(step, "edit_prompts", 1), (".to_k",))
    return terms


def term_weights(options):
    weights = {"mse": 1.0, "r_class": options.get("text_reg_alpha_weight", 0.01),
               "r_edit": options.get("text_reg_beta_weight", 0.01)}
    if options.get("with_prior_preservation", False):
        weights["prior"] = options.get("prior_loss_weight", 1.0)
    return weights


def run_lora(case, dtype):
    side = Side(case, dtype)
    modules, parameters = side.inject()
    settings = {"scale_lr": True, **case.settings}
    accumulation = settings.get("gradient_accumulation_steps", ACCUMULATION)
    optimizer, schedule = make_optimizer(parameters.values(), settings,
                                         learning_rate(settings, LORA_RATE, accumulation))
    weights, outputs = term_weights(case.options), {}
    for name, parameter in parameters.items():
        parameter.grad = case.tensors.get(f"carry.{name}", torch.zeros_like(parameter)).to(dtype).clone()
    for step in range(case.steps):
        terms = losses(side, step, modules, weights)
        loss = sum(weights[name] * value for name, value in terms.items())
        (loss / accumulation).backward()
        gradients = {name: parameter.grad.clone() for name, parameter in parameters.items()}
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), settings.get("max_grad_norm", 1.0))
        record(outputs, step, loss, terms, gradients, norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=False)
    return finish(outputs, parameters), weights


def run(case, dtype):
    return (run_rows if case.stage == "ti" else run_lora)(case, dtype)
