"""Writes the reference files of data/ with the reference libraries: safetensors, torch and numpy.

    python3 make_references.py [FOLDER]

The tests compare bytes and values with what is made here; the values themselves are formulas that the tests repeat.
"""

import collections
import pathlib
import sys

import numpy
import safetensors
import safetensors.torch
import torch

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data")


class Callback:
    """Stands for the objects that training frameworks leave in their checkpoints."""

    def __init__(self):
        self.best = torch.arange(3.0)
        self.path = "epoch=3.ckpt"


Callback.__module__ = "lightning.callbacks"
Callback.__qualname__ = "Callback"


class ModuleShim:
    """Makes pickle believe that the class above can be imported from where it says."""

    Callback = Callback


sys.modules["lightning"] = ModuleShim()
sys.modules["lightning.callbacks"] = ModuleShim()


def ramp(*shape, dtype=torch.float32):
    """0, 1, 2, … in row-major order."""
    count = int(numpy.prod(shape))
    values = torch.arange(count, dtype=torch.float64).reshape(shape)
    return (values % 2 == 1) if dtype == torch.bool else values.to(dtype)


SAFE_DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "U16": torch.uint16,
    "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32, "U32": torch.uint32, "F32": torch.float32,
    "F64": torch.float64, "I64": torch.int64, "U64": torch.uint64,
}


def safetensors_files():
    every = {f"{letter}.{name}": ramp(2, 3, dtype=dtype)
             for letter, (name, dtype) in zip("zyxwvutsrqpon", SAFE_DTYPES.items())}
    every["scalar"] = torch.tensor(7.0)
    every["empty"] = torch.zeros(3, 0, 2)
    safetensors.torch.save_file(every, FOLDER / "every_dtype.safetensors", metadata={"format": "pt"})
    # Controls, quotes, a backslash, DEL, two- and four-byte characters, an empty name; and no metadata at all.
    names = ["tab\there", "line\nfeed", 'quote"d', "back\\slash", "bell\x07", "del\x7f", "caf\u00e9", "\U0001f408", "",
             "a/b"]
    safetensors.torch.save_file({name: ramp(i + 1, dtype=torch.float16) for i, name in enumerate(names)},
                                FOLDER / "odd_names.safetensors")
    safetensors.torch.save_file({}, FOLDER / "nothing.safetensors")
    safetensors.torch.save_file({}, FOLDER / "metadata_only.safetensors", metadata={"format": "pt"})


def state():
    """A state dict with every dtype that torch.save stores as a typed storage."""
    base = ramp(4, 6)
    return collections.OrderedDict([
        ("f32", ramp(2, 3)), ("f16", ramp(2, 3, dtype=torch.float16)), ("bf16", ramp(2, 3, dtype=torch.bfloat16)),
        ("f64", ramp(2, 3, dtype=torch.float64)), ("u8", ramp(2, 3, dtype=torch.uint8)),
        ("i8", ramp(2, 3, dtype=torch.int8)), ("i16", ramp(2, 3, dtype=torch.int16)),
        ("i32", ramp(2, 3, dtype=torch.int32)), ("i64", ramp(2, 3, dtype=torch.int64)),
        ("bool", ramp(2, 3, dtype=torch.bool)), ("scalar", torch.tensor(7.0)), ("empty", torch.zeros(3, 0, 2)),
        ("parameter", torch.nn.Parameter(ramp(2, 2))), ("base", base), ("shared_rows", base[1:3]),
        ("transposed", base.t()), ("strided", base[::2, 1::3]), ("expanded", ramp(3)[None].expand(4, 3)),
    ])


def lightning():
    """The outline of a training framework's checkpoint: the state dict beside objects of classes that are not here."""
    return {
        "epoch": 3, "global_step": 70000, "pytorch-lightning_version": "1.4.2",
        "state_dict": {"model.weight": ramp(2, 3), "model.bias": ramp(2, dtype=torch.float16)},
        "callbacks": {"ModelCheckpoint": Callback(), "best": numpy.float64(0.25), "steps": numpy.int64(-5)},
        "optimizer_states": [{"state": {0: {"step": 3, "exp_avg": ramp(2, 3)}},
                              "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]}],
        "lr_schedulers": [],
    }


def webui_embedding():
    return {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(ramp(2, 4))},
            "name": "cat-toy", "step": 499, "sd_checkpoint": None, "sd_checkpoint_name": None}


def pickle_files():
    torch.save(state(), FOLDER / "state.bin")
    torch.save(state(), FOLDER / "state_legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(state(), FOLDER / "state_protocol4.bin", pickle_protocol=4)
    torch.save(lightning(), FOLDER / "lightning.ckpt")
    torch.save(lightning(), FOLDER / "lightning_legacy.ckpt", _use_new_zipfile_serialization=False)
    torch.save(webui_embedding(), FOLDER / "webui.pt")
    torch.save({"string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(ramp(1, 4))})},
               FOLDER / "parameter_dict.pt")
    torch.save([ramp(2, 3), ramp(3, 2)], FOLDER / "list.pt")
    torch.save(ramp(4), FOLDER / "tensor.pt")
    torch.save(torch.nn.Linear(2, 2, bias=False), FOLDER / "module.pt")
    torch.save({"good": ramp(2), "unsigned": ramp(2, dtype=torch.uint16),
                "complex": torch.zeros(2, dtype=torch.complex64)}, FOLDER / "unsupported.bin")
    model = torch.nn.Linear(2, 3)
    with torch.no_grad():
        model.weight.copy_(ramp(3, 2))
        model.bias.copy_(ramp(3))
    torch.save(model.state_dict(), FOLDER / "module_state.bin")
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(FOLDER / "torchscript.pt"))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    safetensors_files()
    pickle_files()
    print("safetensors", safetensors.__version__, "torch", torch.__version__, "numpy", numpy.__version__)
