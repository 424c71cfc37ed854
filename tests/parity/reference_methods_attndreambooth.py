"""AttnDreamBooth: a token, then every weight named attn2, then the whole UNet, with a regulariser on the attention maps
of diffusers' own cross-attention layers. What learns in the UNet is written as sketches."""

import reference_sketch
import torch
import torch.nn.functional as F
from reference_methods import finish, learning_rate, make_optimizer, record, total_norm
from reference_methods_model import Pipeline

PLACEHOLDER = "<v>"
TOKEN = f"text_encoder.token.{PLACEHOLDER}"
DEFAULTS = {"embedding": (1e-3, 0.1, 0.0), "attention": (2e-5, 2.0, 5.0), "identity": (2e-6, 2.0, 5.0)}


class Recorder:
    """An attention processor that keeps the probabilities of each call: [B, heads, pixels, tokens]."""

    def __init__(self):
        self.maps = []

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        assert attention_mask is None and encoder_hidden_states is not None

        def heads(x):
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        query = heads(attn.to_q(hidden_states))
        key, value = heads(attn.to_k(encoder_hidden_states)), heads(attn.to_v(encoder_hidden_states))
        probabilities = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(dim=-1)
        self.maps.append(probabilities)
        mixed = (probabilities @ value).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](mixed))


def watch(unet):
    recorder = Recorder()
    processors = {name: recorder if ".attn2." in name else processor for name, processor in
                  unet.attn_processors.items()}
    count = sum(processor is recorder for processor in processors.values())
    unet.set_attn_processor(processors)
    return recorder, count


def regulariser(maps, positions, count):
    """-> (mean part, variance part): averaged over layers, summed over the batch."""
    means, variances = 0.0, 0.0
    for layer in maps:
        for row, place in enumerate(positions):
            pooled = layer[row].permute(2, 0, 1).flatten(1)  # [tokens, heads * pixels]
            mean, variance = pooled.mean(dim=1), pooled.var(dim=1, unbiased=True)
            behind = place + count
            means = means + sum((mean[place + i] - mean[behind]) ** 2 for i in range(count)) / count
            variances = variances + sum((variance[place + i] - variance[behind]) ** 2 for i in range(count)) / count
    return means / len(maps), variances / len(maps)


class Side:
    """The pipeline with the token's vectors in it, and the loss of one step."""

    def __init__(self, case, dtype):
        self.case, self.options = case, case.options
        self.count = self.options.get("n_object_embedding", 1)
        words = [PLACEHOLDER + (f"_{i}" if i else "") for i in range(self.count)]
        self.names = [f"text_encoder.token.{word}" for word in words]
        self.words = " ".join(words)
        self.pipeline = Pipeline(case.model, dtype, words)
        self.vectors = self.first_vectors().requires_grad_(case.stage == "embedding")
        self.recorder, self.layers = watch(self.pipeline.unet)
        _, mean, var = DEFAULTS[case.stage]
        active = self.options.get("with_cross_attn_reg", True)
        self.accumulation = case.settings.get("gradient_accumulation_steps", 1)
        factor = self.accumulation if self.options.get("reg_accumulation", "logical") == "logical" else 1
        self.weights = {"mse": 1.0}
        if self.options.get("with_prior_preservation", False):
            self.weights["prior"] = self.options.get("prior_loss_weight", 1.0)
        for name, value in (("mean", mean), ("var", var)):
            value = case.settings.get(f"reg_{name}_weight", value) * factor
            if active and value:
                self.weights[f"attn_{name}"] = value

    def first_vectors(self):
        """The rows of the initializer's first tokens, each replaced where the case gives one."""
        table = self.pipeline.text_encoder.get_input_embeddings().weight
        text = self.options.get("initialize_token", self.case.config["class_word"])
        ids = self.pipeline.tokenizer(text, add_special_tokens=False).input_ids[:self.count]
        assert len(ids) == self.count
        rows = [self.case.init[name].to(table.dtype) if name in self.case.init else table[row]
                for name, row in zip(self.names, ids)]
        return torch.stack(rows).detach().clone()

    def encode(self, ids):
        """The encoder from input embeddings: rows of the frozen table, the vectors where the placeholder stands."""
        table = self.pipeline.text_encoder.get_input_embeddings().weight
        known = torch.where(ids < self.pipeline.vocabulary, ids, 0)
        embeddings = table[known]
        for i, token in enumerate(self.pipeline.token_ids):
            embeddings = torch.where((ids == token)[..., None], self.vectors[i], embeddings)
        return encode_embeddings(self.pipeline.text_encoder, embeddings)

    def terms(self, step):
        texts = [text.replace(PLACEHOLDER, self.words) for text in self.case.texts[f"batch.{step}.captions"]]
        ids = self.pipeline.tokenize(texts)
        self.recorder.maps.clear()
        prediction, target = self.pipeline.prediction_and_target(self.case.tensors, step, self.encode(ids))
        assert len(self.recorder.maps) == self.layers
        rows, terms = len(texts), {}
        if "prior" in self.weights:
            rows //= 2
            terms["prior"] = F.mse_loss(prediction[rows:], target[rows:])
        terms["mse"] = F.mse_loss(prediction[:rows], target[:rows])
        places = [(row == self.pipeline.token_ids[0]).nonzero().item() for row in ids[:rows]]
        parts = dict(zip(("attn_mean", "attn_var"), regulariser(self.recorder.maps, places, self.count)))
        return {**terms, **{name: value for name, value in parts.items() if name in self.weights}}

    def loss(self, step):
        terms = self.terms(step)
        return sum(self.weights[name] * value for name, value in terms.items()), terms


def encode_embeddings(model, embeddings):
    """The text encoder from token embeddings on, by its own layers."""
    text = getattr(model, "text_model", model)
    hidden = embeddings + text.embeddings.position_embedding.weight[:embeddings.shape[1]]
    length = hidden.shape[1]
    mask = torch.full((length, length), float("-inf"), dtype=hidden.dtype).triu(1)[None, None]
    for layer in text.encoder.layers:
        output = layer(hidden, attention_mask=mask)
        hidden = output[0] if isinstance(output, tuple) else output
    return text.final_layer_norm(hidden)


def unet_parameters(side):
    parameters = {}
    for name, value in side.pipeline.unet.named_parameters():
        full = f"unet.{name}"
        if full in side.case.init:
            value.data.copy_(side.case.init[full])
        if side.case.stage == "identity" or "attn2" in name:
            parameters[full] = value.requires_grad_(True)
    return parameters


def steps(side, parameters, leaves, settings, write):
    case = side.case
    rate = learning_rate(settings, DEFAULTS[case.stage][0], side.accumulation)
    optimizer, schedule = make_optimizer(leaves, settings, rate)
    limit = settings.get("max_grad_norm", 0.0)
    for step in range(case.steps):
        loss, terms = side.loss(step)
        (loss / side.accumulation).backward()
        gradients = {name: gradient().clone() for name, gradient in parameters.items()}
        write(step, loss, terms, gradients, total_norm(gradients.values()))
        if limit:
            torch.nn.utils.clip_grad_norm_(leaves, limit)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def run_embedding(side):
    outputs = {}
    parameters = {name: lambda i=i: side.vectors.grad[i] for i, name in enumerate(side.names)}
    steps(side, parameters, [side.vectors], side.case.settings, lambda *values: record(outputs, *values))
    return finish(outputs, dict(zip(side.names, side.vectors)))


def run_unet(side):
    leaves, outputs = unet_parameters(side), {}
    start = {name: value.detach().clone() for name, value in leaves.items()}

    def write(step, loss, terms, gradients, norm):
        record(outputs, step, loss, terms, {"sketch": reference_sketch.table(gradients)}, norm)

    parameters = {name: lambda value=value: value.grad for name, value in leaves.items()}
    steps(side, parameters, list(leaves.values()), side.case.settings, write)
    changes = {name: value.detach() - start[name] for name, value in leaves.items()}
    outputs["change.sketch"] = reference_sketch.table(changes)
    return finish(outputs, {})


def run(case, dtype):
    side = Side(case, dtype)
    outputs = run_embedding(side) if case.stage == "embedding" else run_unet(side)
    return outputs, side.weights


def check_encoder():
    """From input embeddings the encoder computes what it computes from ids."""
    pipeline = Pipeline("sd15", torch.float64, [])
    ids = pipeline.tokenize(["a photo of a man", "two red dogs, 1999!"])
    rows = pipeline.text_encoder.get_input_embeddings().weight[ids]
    torch.testing.assert_close(encode_embeddings(pipeline.text_encoder, rows),
                               pipeline.text_encoder(ids).last_hidden_state)
