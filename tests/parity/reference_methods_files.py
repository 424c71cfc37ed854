"""Writing a method's case: run.yaml, in.safetensors and expected.<dtype>.safetensors."""

import json

import yaml
from reference_files import REFERENCES
from safetensors.torch import load_file, save

FOLDER = REFERENCES / "methods"


def write_safetensors(path, tensors, metadata):
    """As the library writes it, but with the strings in a fixed order; its own order of several keys is random."""
    data = save({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()})
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length:])


def read_metadata(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def write_config(path, config):
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
    assert yaml.safe_load(text) == config
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read_expected(name, dtype):
    path = FOLDER / name / f"expected.{dtype}.safetensors"
    return load_file(path), read_metadata(path)
