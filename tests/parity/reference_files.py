"""Writing what the references consist of: safetensors and JSON, with a record of the sizes."""

import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE / "models"
REFERENCES = HERE / "references"
_written = []


def write_tensors(path, tensors, case=None):
    """One metadata key at most besides none: the serializer's order of several keys is not deterministic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt"} if case is None else {"case": json.dumps(case, sort_keys=True, ensure_ascii=False)}
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, path, metadata)
    _written.append(path)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    _written.append(path)


def write_json(path, value):
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_config(folder, config, **changes):
    """A configuration as `save_pretrained` would leave it, without the version numbers of this environment."""
    values = {**json.loads(config), **changes}
    for key in ("_diffusers_version", "transformers_version", "_name_or_path"):
        values.pop(key, None)
    write_json(folder / "config.json", {key: value for key, value in values.items() if value is not ABSENT})


ABSENT = object()


def write_shards(folder, stem, tensors, count):
    """`tensors` in `count` files and the index that names them."""
    names = sorted(tensors)
    weight_map = {}
    for shard in range(count):
        file = f"{stem}-{shard + 1:05}-of-{count:05}.safetensors"
        mine = names[shard::count]
        write_tensors(folder / file, {name: tensors[name] for name in mine})
        weight_map.update({name: file for name in mine})
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_json(folder / f"{stem}.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": weight_map})


def report():
    folders = {}
    for path in _written:
        folder = path.parent.relative_to(HERE)
        files, size = folders.get(folder, (0, 0))
        folders[folder] = (files + 1, size + path.stat().st_size)
    for folder, (files, size) in sorted(folders.items()):
        print(f"{size:>9} bytes in {files:>3} files  {folder}")
    print(f"{sum(size for _, size in folders.values()):>9} bytes in all")


def randomise(model, seed):
    """Gives every parameter a random value, also those that a constructor sets to zero or one, at a scale that keeps
    activations near 1. Attention projections are larger, so that the softmax is far from uniform."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape):
        return torch.randn(shape, generator=generator)

    norms = (torch.nn.LayerNorm, torch.nn.GroupNorm)
    with torch.no_grad():
        for module_name, module in model.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                value = normal(parameter.shape)
                if isinstance(module, norms):
                    value = 1 + 0.3 * value if name == "weight" else 0.2 * value
                elif name == "lambda1":
                    value = 0.6 + 0.3 * value
                elif name == "logit_scale":
                    value = parameter.clone()
                elif name in ("bias", "in_proj_bias"):
                    value = 0.1 * value
                elif isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) or name == "in_proj_weight":
                    last = module_name.rsplit(".", 1)[-1]
                    sharp = last in ("to_q", "to_k", "q_proj", "k_proj", "query", "key") or name == "in_proj_weight"
                    value = value * ((1.1 if sharp else 0.75) / parameter[0].numel() ** 0.5)
                else:
                    value = 0.5 * value  # embeddings, class and register tokens, probes
                parameter.copy_(value)
    return model.eval()
