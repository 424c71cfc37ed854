"""Prints the factors of lr_schedule.tests.cpp: diffusers.optimization.get_scheduler with base rate 1e-3."""
import torch
from diffusers.optimization import get_scheduler

STEPS = (0, 1, 3, 4, 5, 9, 13, 19, 20, 23)
CASES = [("constant", 4, 20, 1, 1.0), ("constant_with_warmup", 4, 20, 1, 1.0), ("linear", 4, 20, 1, 1.0),
         ("linear", 0, 20, 1, 1.0), ("cosine", 4, 20, 1, 1.0), ("cosine", 4, 20, 3, 1.0),
         ("cosine_with_restarts", 4, 20, 1, 1.0), ("cosine_with_restarts", 4, 20, 3, 1.0),
         ("polynomial", 4, 20, 1, 1.0), ("polynomial", 4, 20, 1, 2.0)]
for name, warmup, total, cycles, power in CASES:
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1e-3)
    factor = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total, num_cycles=cycles,
                           power=power).lr_lambdas[0]
    print(f'{{"{name}", {warmup}, {total}, {cycles}, {power}, {{' + ", ".join(repr(float(factor(s))) for s in STEPS) + "}},")
