#!/usr/bin/env python3
"""Peak memory of one optimizer step of every stage of a method, on real shapes with random weights.

    python3 tests/bench/stage_memory.py attndreambooth --model sd21-random --atelier build/release/bin/atelier \
        --dtype bfloat16 --set gradient_checkpointing=true --stages embedding attention identity

Runs a study of one cell, one step a stage (options STAGE.max_train_steps), on the photos of experiments/demo, and prints one
JSON line: for each stage the memory of the worker at the start (0) and the end (1) of its step, as [high-water mark, resident,
of that anonymous]; the stages run in turn in one process, so that a later mark is never below an earlier. "published": what the
store holds of each stage, its peak with the artifact written. "process": the kernel's high-water mark of the whole process."""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PHOTOS = HERE.parents[1] / "experiments" / "demo" / "concepts" / "cat"


def value_of(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def study_text(arguments):
    options = {arguments.steps_option.format(stage=stage): 1 for stage in arguments.stages}
    options |= {f"{stage}.train_batch_size": arguments.batch for stage in arguments.stages}
    options |= {f"{stage}.micro_batch_size": arguments.rows for stage in arguments.stages}
    options |= {name: value_of(text) for name, text in (pair.split("=", 1) for pair in arguments.set)}
    return json.dumps({
        "study": "bench", "concepts": [{"name": "cat", "path": str(PHOTOS), "class": "cat"}],
        "methods": {arguments.method: {"base": str(arguments.model.resolve()), "options": options}}, "seed": 0,
        "fixed_loss": 0, "placement": {"device": "cpu", "dtype": arguments.dtype, "threads": arguments.threads}})


def memory_below(pid):
    """Largest (high-water mark, resident, of that anonymous) among the descendants of a process, in bytes."""
    found = [0, 0, 0]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            status = pathlib.Path(f"/proc/{child}/status").read_text()
            sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status.splitlines() if line.endswith("kB")}
            own = [sizes["VmHWM"], sizes["VmRSS"], sizes["RssAnon"]]
            found = max(found, own, memory_below(int(child)))
    return found


def facts_of(file):
    text = file.read_text()
    if "trained_parameters" not in text:
        return None
    record = json.loads(text)
    facts = record.get("summary", record)
    return {name: facts.get(name) for name in ("trained_parameters", "peak_memory", "seconds", "bytes")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--atelier", type=pathlib.Path, required=True)
    parser.add_argument("--stages", nargs="+", required=True)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps-option", default="{stage}.max_train_steps", help="its name where the method has one for all")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rows", type=int, default=1, help="computed at once")
    parser.add_argument("--work", type=pathlib.Path, help="folder for the store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        study = pathlib.Path(folder) / "study.yaml"
        study.write_text(study_text(arguments))
        command = [arguments.atelier, "run", study, "--store", pathlib.Path(folder) / "store", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        marks = {}
        for event in map(json.loads, process.stdout):
            if event.get("event") == "progress" and event.get("what") == "training":
                marks.setdefault(event["job"], {})[event["done"]] = memory_below(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        facts = [found for file in (pathlib.Path(folder) / "store").rglob("*.json")
                 if (found := facts_of(file)) is not None]
    names = dict(zip(sorted(marks), arguments.stages))
    print(json.dumps({"stages": {names[job]: mark for job, mark in marks.items()}, "published": facts,
                      "process": usage.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
