#!/usr/bin/env python3
"""Makes tests/parity/references/methods with diffusers, transformers and PyTorch's optimizers; shares no code with
Atelier. Each folder is a case of `atelier probe method`:

    run.yaml                       the configuration
    in.safetensors                 batches, draws, texts and starts
    expected.<dtype>.safetensors   losses, gradients and trained parameters, computed in float32 and in float64

    python3 tests/parity/make_method_references.py [--check] [CASE ...]

Needs tests/parity/models and the packages of make_references.py but open_clip, PEFT and PyYAML; no network. To be run
after make_references.py, which empties the references folder. --check computes everything again and compares it with what is
written. The committed files were made with torch 2.11, diffusers 0.42 and transformers 5.24."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import json  # noqa: E402

import diffusers  # noqa: E402
import reference_methods_attndreambooth as attndreambooth  # noqa: E402
import reference_methods_attndreambooth_cases as attndreambooth_cases  # noqa: E402
import reference_methods_catversion as catversion  # noqa: E402
import reference_methods_clip as clip  # noqa: E402
import reference_methods_dco as dco  # noqa: E402
import reference_methods_dco_cases as dco_cases  # noqa: E402
import reference_methods_dreambooth as dreambooth  # noqa: E402
import reference_methods_custom_diffusion as custom_diffusion  # noqa: E402
import reference_methods_dreambooth_lora as dreambooth_lora  # noqa: E402
import reference_methods_files as files  # noqa: E402
import reference_methods_lora as lora  # noqa: E402
import reference_methods_textreg as textreg  # noqa: E402
import reference_methods_textreg_cases as textreg_cases  # noqa: E402
import reference_methods_textual_inversion as textual_inversion  # noqa: E402
import reference_sketch  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from reference_methods import DTYPES  # noqa: E402
from reference_methods_model import Pipeline  # noqa: E402

RUNS = {
    "textual_inversion": textual_inversion.run,
    "textreg": textreg.run,
    "dco": dco.run,
    "dreambooth": dreambooth.run,
    "dreambooth_lora": dreambooth_lora.run,
    "custom_diffusion": custom_diffusion.run,
    "attndreambooth": attndreambooth.run,
    "catversion": catversion.run,
}
CASES = [
    textual_inversion.cases,
    textreg_cases.cases,
    dco_cases.cases,
    dreambooth.cases,
    dreambooth_lora.cases,
    custom_diffusion.cases,
    attndreambooth_cases.cases,
    catversion.cases,
]


def check_layers():
    """The layers by hand, with the causal mask, are the library's."""
    for dtype in DTYPES.values():
        pipeline = Pipeline("sd15", dtype, [])
        ids = pipeline.tokenize(["a photo of a man", "two red dogs, 1999!"])
        by_hand = clip.encode(pipeline.text_encoder, ids, clip.allowed(77))
        torch.testing.assert_close(by_hand, pipeline.text_encoder(ids).last_hidden_state)


def compute(case):
    results = {}
    for name, dtype in DTYPES.items():
        outputs, weights = RUNS[case.config["method"]](case, dtype)
        kinds = {dtype, torch.float64}  # sketches are summed in float64
        assert all(value.dtype in kinds and value.isfinite().all() for value in outputs.values())
        results[name] = outputs, {"weights": json.dumps(weights, sort_keys=True)}
    return results


def kind(name):
    """loss.2.mse -> loss.mse, grad.0.unet... -> grad; what is compared with its like."""
    first, _, *term = name.split(".")
    return ".".join([first, *term]) if first == "loss" else first


def differences(first, second):
    """Kind -> largest difference of a tensor over the rms of that tensor, zero tensors aside."""
    assert first.keys() == second.keys()
    result = {}
    for name, value in second.items():
        error, size = (first[name].double() - value.double()).abs().max(), value.double().pow(2).mean().sqrt()
        assert size > 0 or error == 0, name
        result[kind(name)] = max(result.get(kind(name), 0.0), (error / size).item() if size > 0 else 0.0)
    return result


def write(case, results):
    folder = files.FOLDER / case.name
    files.write_config(folder / "run.yaml", case.config)
    files.write_safetensors(folder / "in.safetensors", case.tensors, case.metadata)
    for dtype, (outputs, metadata) in results.items():
        files.write_safetensors(folder / f"expected.{dtype}.safetensors", outputs, metadata)
    return sum(path.stat().st_size for path in folder.iterdir())


def check(case, results):
    for dtype, (outputs, metadata) in results.items():
        written, written_metadata = files.read_expected(case.name, dtype)
        worst = max(differences(written, outputs).values())
        assert metadata == written_metadata and worst < {"float32": 1e-3, "float64": 1e-9}[dtype], (case.name, worst)


def report(case, results, size):
    errors = differences(results["float32"][0], results["float64"][0])
    print(f"{case.name}: {size} bytes; float32 against float64: "
          + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()))
    outputs = results["float64"][0]
    norms = [f"{outputs[f'grad_norm.{step}'].item():.4g}" for step in range(case.steps)]
    terms = [f"{name} {value.item():.4g}" for name, value in outputs.items() if name.startswith("loss.0")]
    print(f"    grad_norm {' '.join(norms)}; {', '.join(terms)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases; default: all")
    parser.add_argument("--check", action="store_true", help="only verify what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for verify in (clip.check, lora.check, reference_sketch.check, check_layers, attndreambooth.check_encoder,
                   catversion.check):
        verify()
    for case in [case for cases in CASES for case in cases()]:
        if arguments.cases and case.name not in arguments.cases:
            continue
        results = compute(case)
        if arguments.check:
            check(case, results)
        size = 0 if arguments.check else write(case, results)
        report(case, results, size)


if __name__ == "__main__":
    main()
