"""Training token rows as the published scripts do: the optimizer holds the whole table, and after every step all other
rows are put back."""

import torch
from reference_methods import finish, learning_rate, make_optimizer, record, total_norm


def start_rows(pipeline, initializer_id, names, init):
    """One row for each name: `init`, else the initializer's row."""
    table = pipeline.text_encoder.get_input_embeddings().weight.detach()
    return torch.stack([init[name].to(table.dtype) if name in init else table[initializer_id] for name in names])


def train_rows(case, pipeline, table, names, encode, accumulation, default_rate, after_step=None):
    """`encode(step)` -> context; `after_step(rate)` may change the rows once the schedule has moved on."""
    table.requires_grad_(True)
    rows = pipeline.token_ids
    frozen = torch.ones(len(table), dtype=torch.bool)
    frozen[rows] = False
    original = table.detach().clone()
    optimizer, schedule = make_optimizer([table], case.settings,
                                         learning_rate(case.settings, default_rate, accumulation))
    outputs = {}
    for step in range(case.steps):
        loss = pipeline.noise_loss(case.tensors, step, encode(step))
        (loss / accumulation).backward()
        gradients = dict(zip(names, table.grad[rows]))
        record(outputs, step, loss, {"mse": loss}, gradients, total_norm(gradients.values()))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        with torch.no_grad():
            if after_step is not None:
                after_step(schedule.get_last_lr()[0])
            table[frozen] = original[frozen]
    return finish(outputs, dict(zip(names, table[rows])))
