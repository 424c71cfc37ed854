"""Low-rank updates of the cross-attention keys and values: y = W x + B A x, no factor."""

import torch


class LoRALinear(torch.nn.Module):
    def __init__(self, base, down, up):
        super().__init__()
        self.base, self.A, self.B = base, torch.nn.Parameter(down.clone()), torch.nn.Parameter(up.clone())

    def update(self, states):
        return states @ self.A.T @ self.B.T

    def forward(self, states):
        return self.base(states) + self.update(states)


def targets(unet):
    return [name for name, _ in unet.named_modules() if name.endswith((".attn2.to_k", ".attn2.to_v"))]


def shapes(unet, rank):
    """Parameter name -> shape of every LoRA."""
    result = {}
    for name in targets(unet):
        out_features, in_features = unet.get_submodule(name).weight.shape
        result[f"unet.{name}.lora_A.weight"] = (rank, in_features)
        result[f"unet.{name}.lora_B.weight"] = (out_features, rank)
    return result


def inject(unet, init, rank, dtype):
    """-> modules by name, parameters by name. Ups start at zero; downs are random, so `init` has to bring them."""
    modules, parameters = {}, {}
    for name in targets(unet):
        base = unet.get_submodule(name)
        up = init.get(f"unet.{name}.lora_B.weight", torch.zeros(base.out_features, rank))
        module = LoRALinear(base, init[f"unet.{name}.lora_A.weight"].to(dtype), up.to(dtype))
        parent, child = name.rsplit(".", 1)
        setattr(unet.get_submodule(parent), child, module)
        modules[name] = module
        parameters[f"unet.{name}.lora_A.weight"] = module.A
        parameters[f"unet.{name}.lora_B.weight"] = module.B
    assert len(modules) == 32
    return modules, parameters


def mean_norm(module, states):
    """Mean over the batch of the Frobenius norm of the update of [B, N, D]."""
    return torch.linalg.vector_norm(module.update(states), dim=(1, 2)).mean()


def regulariser(modules, states, endings):
    chosen = [module for name, module in modules.items() if name.endswith(endings)]
    return torch.stack([mean_norm(module, states) for module in chosen]).mean()


def check():
    """A worked example with two prompts of two tokens, and no NaN where the update is zero."""
    states = torch.tensor([[[1.0, 0, 2], [0, 1, 1]], [[2, 1, 0], [1, 1, 1]]])
    module = LoRALinear(torch.nn.Linear(3, 2), torch.tensor([[1.0, 2, -1]]), torch.tensor([[0.5], [-2]]))
    value = mean_norm(module, states)
    value.backward()
    torch.testing.assert_close(value.detach(), torch.tensor(6.067510))
    torch.testing.assert_close(module.B.grad, torch.tensor([[0.713825], [-2.855299]]))
    torch.testing.assert_close(module.A.grad, torch.tensor([[1.576017, 2.111801, -0.267892]]))
    module = LoRALinear(torch.nn.Linear(3, 2), module.A.detach(), torch.zeros(2, 1))
    mean_norm(module, states).backward()
    assert module.A.grad.abs().sum() == 0 and module.B.grad.abs().sum() == 0
