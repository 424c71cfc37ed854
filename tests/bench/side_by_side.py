#!/usr/bin/env python3
"""Times Atelier and diffusers on the same model folder, alternating, each run in a fresh process.

    python3 tests/bench/side_by_side.py --model sd15-random --atelier build/release/bin/atelier --threads 2

For each component: seconds of a call (minimum and median over all rounds and repeats, the warm-up call left out), peak
resident memory of the process, seconds from the start of the process to its first result, and the ratio diffusers /
Atelier (above 1: Atelier is faster or smaller). The outputs are compared as well: a fast wrong answer is no answer.
Run on a quiet machine; --rounds 5 or more before a number is quoted."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
MAIN_OUTPUT = {"unet": "noise_pred", "vae_decoder": "image", "vae_encoder": "mean", "text_encoder": "last_hidden_state",
               "text_encoder_2": "last_hidden_state"}


def inputs_of(component, model, size, batch):
    generator = torch.Generator().manual_seed(7)
    config = json.loads((model / ("vae" if component.startswith("vae") else component) / "config.json").read_text())

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    if component == "vae_decoder":
        return {"latents": normal(1, 4, size // 8, size // 8) * config["scaling_factor"]}
    if component == "vae_encoder":
        return {"pixel_values": normal(1, 3, size, size).clamp(-1, 1)}
    if component.startswith("text_encoder"):
        ids = torch.randint(1000, 40000, (batch, 77), generator=generator)
        ids[:, 0], ids[:, 12:] = 49406, 49407
        return {"input_ids": ids}
    inputs = {"sample": normal(batch, 4, size // 8, size // 8), "timestep": torch.full([batch], 500),
              "encoder_hidden_states": normal(batch, 77, config["cross_attention_dim"])}
    if config.get("addition_embed_type") == "text_time":
        pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
        inputs |= {"text_embeds": normal(batch, pooled),
                   "time_ids": torch.tensor([[size, size, 0, 0, size, size]] * batch, dtype=torch.float32)}
    return inputs


def command(program, component, folder, arguments):
    common = ["--model", arguments.model, "--in", folder / "in", "--out", folder / program, "--dtype", arguments.dtype,
              "--device", arguments.device, "--threads", arguments.threads, "--repeat", arguments.repeat,
              "--timings", folder / "timings.json"]
    start = [arguments.atelier, "probe", "component"] if program == "atelier" else \
        [arguments.python, HERE / "reference_timing.py"]
    return [str(word) for word in (*start, component, *common)]


def run(program, component, folder, arguments):
    """-> the timings that the program wrote; the peak memory is what the kernel says of the child."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    child = subprocess.Popen(command(program, component, folder, arguments), env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{program} {component} ended with status {child.returncode}")
    timings = json.loads((folder / "timings.json").read_text())
    timings["peak_rss_bytes"] = usage.ru_maxrss * 1024
    return timings


def deviation(folder, component):
    actual = load_file(folder / "atelier")[MAIN_OUTPUT[component]].double()
    expected = load_file(folder / "diffusers")["output"].double()
    return ((actual - expected).abs().max() / expected.pow(2).mean().sqrt()).item()


def measure(component, arguments):
    programs = ("atelier", "diffusers")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        save_file(inputs_of(component, arguments.model, arguments.size, arguments.batch), folder / "in")
        results = {program: [] for program in programs}
        for index in range(arguments.rounds):
            for program in programs if index % 2 == 0 else reversed(programs):
                results[program].append(run(program, component, folder, arguments))
        return results, deviation(folder, component)


def rows(results):
    """-> (quantity, Atelier's and diffusers' values)."""
    def collect(key):
        return [[result[key] for result in results[program]] for program in ("atelier", "diffusers")]

    calls = [[seconds for result in results[program] for seconds in result["calls"]]
             for program in ("atelier", "diffusers")]
    yield "call, s", calls
    yield "load, s", collect("load_seconds")
    yield "start to result, s", collect("first_call_seconds")
    yield "peak memory, GB", [[value / 1e9 for value in values] for values in collect("peak_rss_bytes")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--atelier", type=pathlib.Path, required=True)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the reference environment")
    parser.add_argument("--components", nargs="+", default=["unet", "vae_decoder", "text_encoder"],
                        choices=list(MAIN_OUTPUT))
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=2, help="rows of the UNet and of the text encoders")
    parser.add_argument("--repeat", type=int, default=3, help="timed calls in each process")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each program")
    parser.add_argument("--json", type=pathlib.Path, help="also write every number here")
    arguments = parser.parse_args()
    print(f"{arguments.model.name}, {arguments.dtype} on {arguments.device}, {arguments.threads} threads, "
          f"{arguments.size} pixels, batch {arguments.batch}, {arguments.rounds} rounds of {arguments.repeat} calls")
    print(f"{'component':<16}{'quantity':<20}{'atelier min':>12}{'median':>10}{'diffusers min':>15}{'median':>10}"
          f"{'ratio of medians':>18}")
    record = {}
    for component in arguments.components:
        results, error = measure(component, arguments)
        record[component] = {**results, "deviation": error}
        for quantity, (ours, theirs) in rows(results):
            medians = statistics.median(ours), statistics.median(theirs)
            print(f"{component:<16}{quantity:<20}{min(ours):>12.3f}{medians[0]:>10.3f}{min(theirs):>15.3f}"
                  f"{medians[1]:>10.3f}{medians[1] / medians[0]:>18.2f}")
        print(f"{component:<16}largest difference / rms of the outputs: {error:.1e}")
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
