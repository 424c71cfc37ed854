#!/usr/bin/env python3
"""What large studies cost the command: planning, a call that has nothing to do, ingesting, reindexing.

    python3 tests/bench/scale.py --atelier bin/atelier --out out/scale [plan again ingest]

plan    100,000 runs of one method (10 concepts, 20 seeds, 500 settings): `plan`, wall seconds and peak memory.
again   5,000 runs with their pictures and scores, all in the store: `run`, `plan` and `status`. The store is made by hand
        from the manifest that `run` writes before it works: every key's record, with contents that only look like results.
ingest  a store of table_store.py with a million rows of scores: the first `status`, which takes them in, and `reindex`.

Each is timed three times (--rounds) and printed with the rounds' least and middle values."""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
POCKET = HERE.parent.parent / "experiments/pocket"
CONCEPTS = ["star_cat", "cross_cup"]


def timed(words):
    """Wall seconds, CPU seconds and peak memory in MB of one call."""
    begin = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status != 0:
        sys.exit(f"{' '.join(map(str, words))}: exit status {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def report(what, rounds, call, per=None):
    times = [call() for _ in range(rounds)]
    walls = sorted(each[0] for each in times)
    text = f"{what}: {walls[0]:.2f} s (middle {statistics.median(walls):.2f}), CPU {min(each[1] for each in times):.2f} s, "
    text += f"{max(each[2] for each in times):.0f} MB"
    print(text + (f", {per / walls[0]:,.0f} rows/s" if per else ""), flush=True)


def study(name, concepts, seeds, settings, evaluate):
    text = f"""study: {name}
concepts: {{root: {POCKET}/concepts, list: [{", ".join(concepts)}]}}
methods:
  textual_inversion: {{base: {POCKET}/base, preset: pocket}}
sweep:
  - grid: {{seed: {{range: [0, {seeds - 1}, 1]}}, embedding.learning_rate: {{log: [1.0e-5, 1.0e-1, {settings}]}}}}
placement: {{device: cpu, dtype: float32, threads: 1, slots: 2}}
"""
    if evaluate:
        text += f"evaluate: [{{protocol: ti_code, images: 4, prompts: pocket/core}}]\nencoders: {{clip: {POCKET}/base/clip}}\n"
    return text


def plan(options):
    concepts = sorted(path.name for path in (POCKET / "concepts").iterdir() if path.is_dir())[:10]
    file = options.out / "plan.yaml"
    file.write_text(study("scale", concepts, 20, 500, False))
    report("plan of 100,000 runs", options.rounds, lambda: timed([options.atelier, "plan", file, "--store", options.out / "none"]))


def whole(manifest, part):
    """manifest_parts.h: the object with its shared members."""
    members = {name: value for name, value in part.items() if name != "shared"}
    for name in part.get("shared", []):
        members = {**manifest["shared"][name], **members}
    return members


def put(store, text):
    name = hashlib.sha256(text.encode()).hexdigest()
    path = store / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return name


def finish(store):
    """A record for every key of the one manifest."""
    manifest = json.loads(next((store / "manifests").glob("*.json")).read_text())
    stand_in = put(store, "stands for an artifact")
    for job in manifest["jobs"]:
        for output in job["outputs"]:
            if (store / "keys" / (output["key"] + ".json")).exists():
                continue
            description = whole(manifest, output["description"])
            name = stand_in
            if job["kind"] == "score":
                images = [{"prompt": each["prompt"], "k": k, "seed": k, "sha256": "s", "status": "ok",
                           "pair_scores": {"clip": [0.5] * 5}, "text_scores": {"clip": 0.25}}
                          for each in description["sets"] for k in range(4)]
                name = put(store, json.dumps({"schema": "atelier.scoretable/1", "protocol": "ti_code", "images": images,
                                              "sets": [], "anchors": {}, "references": [], "key": output["key"]}))
            record = {"schema": "atelier.key/1", "key": output["key"], "description": description, "object": name,
                      "divergent": [], "summary": {"bytes": 1000, "seconds": 1.0}}
            (store / "keys" / (output["key"] + ".json")).write_text(json.dumps(record))
    return len(manifest["runs"]), len(manifest["jobs"])


def again(options):
    file, store = options.out / "again.yaml", options.out / "again"
    file.write_text(study("again", CONCEPTS, 25, 100, True))
    shutil.rmtree(store, ignore_errors=True)
    process = subprocess.Popen([options.atelier, "run", file, "--store", store], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while not list((store / "manifests").glob("*.json")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait()
    shutil.rmtree(store / "snapshots")
    (store / "snapshots").mkdir()
    runs, jobs = finish(store)
    first = timed([options.atelier, "status", "--store", store])
    print(f"{runs} runs, {jobs} jobs, {len(list((store / 'keys').glob('*.json')))} keys; the index was made in {first[0]:.1f} s")
    report("run, with nothing to do", options.rounds, lambda: timed([options.atelier, "run", file, "--store", store]))
    report("plan", options.rounds, lambda: timed([options.atelier, "plan", file, "--store", store]))
    report("status", options.rounds, lambda: timed([options.atelier, "status", "again", "--store", store]))


def ingest(options):
    store = options.out / "ingest"
    if not store.exists():
        subprocess.run([sys.executable, HERE / "table_store.py", store, "--seeds", "3", "--prompts", "82"], check=True)
    rows = 4 * 39 * 3 * 82 * (4 * (5 + 1 + 1) + 2)  # of pairs, texts, pictures; and of sets
    print(f"{rows:,} rows")

    def first():
        for file in store.glob("index.sqlite*"):
            file.unlink()
        return timed([options.atelier, "status", "--store", store])

    report("the first status", options.rounds, first, rows)
    report("reindex", options.rounds, lambda: timed([options.atelier, "reindex", "--store", store]), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["plan", "again", "ingest"])
    parser.add_argument("--atelier", type=pathlib.Path, default=pathlib.Path("bin/atelier"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.out = options.out.resolve()
    for what in options.what:
        {"plan": plan, "again": again, "ingest": ingest}[what](options)


if __name__ == "__main__":
    main()
