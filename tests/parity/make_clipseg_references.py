#!/usr/bin/env python3
"""Makes tests/parity/clipseg with transformers: tiny segmenters and what they compute; shares no code with Atelier.

    python3 tests/parity/make_clipseg_references.py

Needs torch, transformers, safetensors; no network. The results are deterministic on one machine; on another CPU float32
results may differ in the last bits. The committed files were made with torch 2.11 and transformers 5.24."""

import copy
import os
import shutil

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from reference_files import HERE, randomise, report, write_config, write_tensors  # noqa: E402

FOLDER = HERE / "clipseg"
DTYPES = {"float32": torch.float32, "float64": torch.float64}
VOCABULARY = 64
END = VOCABULARY - 1


def make_model(seed, vision, text, **options):
    config = transformers.CLIPSegConfig(
        text_config={"vocab_size": VOCABULARY, "max_position_embeddings": 16, "bos_token_id": END - 1, **text},
        vision_config=vision, **options)
    model = transformers.CLIPSegForImageSegmentation._from_config(config, attn_implementation="sdpa")
    return randomise(model, seed)


def simple():
    """One transposed convolution; the prompt enters first; the historical eos_token_id; the last layer is read."""
    return make_model(
        1, {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 4, "num_attention_heads": 4,
            "image_size": 32, "patch_size": 8},
        {"hidden_size": 24, "intermediate_size": 56, "num_hidden_layers": 2, "num_attention_heads": 3,
         "eos_token_id": 2},
        projection_dim=20, extract_layers=[0, 1, 3], reduce_dim=16, decoder_num_attention_heads=2,
        decoder_intermediate_size=40)


def complex():
    """Three convolutions; the prompt enters second; a real eos_token_id; gelu and another eps; layers left unread."""
    return make_model(
        2, {"hidden_size": 24, "intermediate_size": 64, "num_hidden_layers": 5, "num_attention_heads": 3,
            "image_size": 64, "patch_size": 16, "hidden_act": "gelu", "layer_norm_eps": 1e-3},
        {"hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 1, "num_attention_heads": 2,
         "eos_token_id": END, "hidden_act": "gelu"},
        projection_dim=12, extract_layers=[1, 3], reduce_dim=20, decoder_num_attention_heads=5,
        decoder_intermediate_size=48, conditional_layer=1, use_complex_transposed_convolution=True)


def inputs_of(seed, batch, size, prompt=None):
    generator = torch.Generator().manual_seed(seed)
    inputs = {"pixel_values": torch.randn((batch, 3, size, size), generator=generator)}
    if prompt is not None:
        inputs["conditional_embeddings"] = torch.randn((batch, prompt), generator=generator)
        return inputs
    ids = torch.randint(3, END - 1, (batch, 9), generator=generator)
    ids[:, 0] = END - 1
    for row in range(batch):
        ids[row, 4 + row:] = END  # texts of different lengths
    inputs["input_ids"] = ids
    return inputs


def in_dtype(model, dtype):
    return copy.deepcopy(model).to(dtype)


def call(model, inputs, dtype):
    return model(**{name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()})


def write_case(name, model, inputs):
    write_tensors(FOLDER / f"{name}.in.safetensors", inputs)
    for dtype_name, dtype in DTYPES.items():
        with torch.no_grad():
            logits = call(in_dtype(model, dtype), inputs, dtype).logits
        assert logits.dtype == dtype and 0.1 < logits.std() < 10, (name, logits.dtype, logits.std())
        write_tensors(FOLDER / f"{name}.{dtype_name}.safetensors", {"logits": logits})


def write_gradients(name, model, inputs):
    """The loss against random masks, and its gradient for every tensor of the decoder, in float64."""
    model = in_dtype(model, torch.float64)
    with torch.no_grad():
        shape = call(model, inputs, torch.float64).logits.shape
    labels = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(9)).float()
    loss = call(model, {**inputs, "labels": labels}, torch.float64).loss
    loss.backward()
    gradients = {f"decoder.{key}": value.grad for key, value in model.decoder.named_parameters()}
    assert all(gradient is not None and gradient.abs().max() > 0 for key, gradient in gradients.items()
               if not key.endswith("k_proj.bias")), name
    write_tensors(FOLDER / f"{name}.in.safetensors", {**inputs, "labels": labels})
    write_tensors(FOLDER / f"{name}.float64.safetensors", {"loss": loss, **gradients})


def check_sensitivity(model, inputs):
    """Do the logits depend on everything that is given?"""
    with torch.no_grad():
        logits = call(model, inputs, torch.float32).logits
        for name, value in inputs.items():
            changed = call(model, {**inputs, name: value.flip(0)}, torch.float32).logits
            effect = ((changed - logits).abs().max() / logits.std()).item()
            assert effect > 0.1, (name, effect)


def write_model(name, model):
    write_config(FOLDER / name, model.config.to_json_string(use_diff=False),
                 architectures=["CLIPSegForImageSegmentation"])
    write_tensors(FOLDER / name / "model.safetensors", model.state_dict())
    own = model.config.vision_config.image_size
    check_sensitivity(model, inputs_of(20, 2, own))
    write_case(f"{name}_prompt", model, inputs_of(21, 2, own))
    write_case(f"{name}_embedding", model, inputs_of(22, 3, own, model.config.projection_dim))
    # Positions are interpolated: the published implementation does so whenever the size is not that of training.
    write_case(f"{name}_larger", model, inputs_of(23, 1, own * 3 // 2))
    write_case(f"{name}_smaller", model, inputs_of(24, 1, own // 2))
    write_gradients(f"{name}_gradients", model, inputs_of(25, 2, own))


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for make in (simple, complex):
        write_model(make.__name__, make())
    report()


if __name__ == "__main__":
    main()
