#!/usr/bin/env python3
"""TextReg's second stage in Atelier and in diffusers (train_reference.py), one after the other in each round.

    python3 tests/bench/train_side_by_side.py --model sd15-random --atelier build/release/bin/atelier --dtype float32

Both at 512x512, batch 1, rank 10. Atelier runs a real study of one cell on the photos of experiments/demo; its seconds are
those between the progress events of the training. --cached-latents says who encodes pictures once instead of in every step:
neither, atelier (its `cache_latents: 1` beside the published script) or both. Prints one JSON line."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PHOTOS = HERE.parents[1] / "experiments" / "demo" / "concepts" / "cat"


def study_text(arguments):
    """One token step, then the steps that are timed."""
    options = {"ti_train_step": 1, "max_train_steps": 1 + arguments.steps, "resolution": arguments.size,
               "cache_latents": 0 if arguments.cached_latents == "neither" else 1}
    return json.dumps({
        "study": "bench", "concepts": [{"name": "cat", "path": str(PHOTOS), "class": "cat"}],
        "methods": {"textreg": {"base": str(arguments.model.resolve()), "options": options}}, "seed": 0,
        "placement": {"device": "cpu", "dtype": arguments.dtype, "threads": arguments.threads}})


def time_atelier(arguments):
    with tempfile.TemporaryDirectory() as folder:
        study = pathlib.Path(folder) / "study.yaml"
        study.write_text(study_text(arguments))
        command = [arguments.atelier, "run", study, "--store", pathlib.Path(folder) / "store", "--json"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        ends = {}
        for line in process.stdout:
            now, event = time.perf_counter(), json.loads(line)
            if event["event"] == "progress" and event.get("what") == "training":
                ends.setdefault(event["job"], []).append((event["done"], now))
        _, status, usage = os.wait4(process.pid, 0)  # with the worker, its child
        assert status == 0
    begun, first_end = (time_of - start for _, time_of in ends[min(ends)][:2])
    steps = ends[max(ends)][1:]  # the first step of a process prepares the weights
    seconds = [b - a for (i, a), (j, b) in zip(steps, steps[1:]) if j == i + 1]
    return {"seconds": seconds, "start_to_first_step_seconds": begun, "start_to_end_of_first_step_seconds": first_end,
            "peak_rss_bytes": usage.ru_maxrss * 1024}


def time_reference(arguments):
    command = [sys.executable, HERE / "train_reference.py", "--model", arguments.model, "--steps", str(arguments.steps),
               "--threads", str(arguments.threads), "--dtype", arguments.dtype, "--size", str(arguments.size)]
    if arguments.cached_latents == "both":
        command.append("--cached-latents")
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return {"seconds": result["seconds"][1:], **{key: result[key] for key in (
        "start_to_first_step_seconds", "start_to_end_of_first_step_seconds", "peak_rss_bytes")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--atelier", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--cached-latents", choices=["neither", "atelier", "both"], default="neither")
    arguments = parser.parse_args()
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(time_atelier(arguments))
        theirs.append(time_reference(arguments))
    median = [statistics.median([s for r in runs for s in r["seconds"]]) for runs in (ours, theirs)]
    print(json.dumps({**vars(arguments), "model": str(arguments.model), "atelier": str(arguments.atelier), "ours": ours,
                      "reference": theirs, "median_seconds": median,
                      "ratio": median[1] / median[0]}))


main()
