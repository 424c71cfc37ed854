#!/usr/bin/env python3
"""Makes a store that holds nothing but a study's plan and its scores, to time `atelier table` on.

    python3 tests/bench/table_store.py out/table-bench/store
    bin/atelier table bench --store out/table-bench/store          # once: makes the index
    for i in 1 2 3 4 5; do /usr/bin/time -f %e bin/atelier table bench --compare m0 --store out/table-bench/store >/dev/null; done

By default 4 methods, 39 concepts, 1 seed, 25 prompts and 4 pictures of each: 15,600 scored pictures, each with a cosine with every one of
5 photos and one with its text, and two scores of every set: 101,400 rows of scores.
"""
import argparse
import hashlib
import json
import pathlib
import random


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def scores(rng, prompts, pictures, references, shift):
    images = [
        {
            "prompt": prompt, "k": k, "seed": k, "sha256": "s", "status": "ok",
            "pair_scores": {"clip": [rng.gauss(0.7 + shift, 0.05) for _ in range(references)]},
            "text_scores": {"clip": rng.gauss(0.3 - shift, 0.03)},
        }
        for prompt in prompts for k in range(pictures)
    ]
    sets = [
        {"prompt": prompt, "text": "t", "role": "reconstruction" if i == 0 else "edit",
         "scores": {"gbar_norm": 0.9, "clip_t_paper": rng.gauss(0.3, 0.03)}}
        for i, prompt in enumerate(prompts)
    ]
    return {"schema": "atelier.scoretable/1", "protocol": "ti_code", "images": images, "sets": sets,
            "anchors": {"clip_i_all": 0.9, "clip_i_distinct": 0.8}, "references": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=pathlib.Path)
    for name, number in [("methods", 4), ("concepts", 39), ("seeds", 1), ("prompts", 25), ("pictures", 4), ("references", 5)]:
        parser.add_argument("--" + name, type=int, default=number)
    options = parser.parse_args()
    for folder in ["objects", "keys", "spool", "snapshots", "manifests", "tmp"]:
        (options.store / folder).mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    (options.store / "store.json").write_text(json.dumps({"schema": "atelier.store/1", "id": "0" * 32}))
    prompts = [f"ti/{i:03}" for i in range(options.prompts)]
    runs, jobs = [], []
    for m in range(options.methods):
        for c in range(options.concepts):
            for s in range(options.seeds):
                run = f"r{len(runs)}"
                runs.append({"id": run, "method": f"m{m}", "concept": f"c{c:02}", "seed": s, "preset": "", "checkpoint": None,
                             "options": {}, "label": f"m{m}", "row": {"method": f"m{m}"}})
                text = json.dumps(scores(rng, prompts, options.pictures, options.references, 0.01 * m))
                name = digest(text)
                path = options.store / "objects" / name[:2] / name[2:]
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
                description = {"kind": "score", "run": run}
                key = digest(canonical(description))
                record = {"schema": "atelier.key/1", "key": key, "description": description, "object": name, "divergent": [],
                          "summary": {}}
                (options.store / "keys" / (key + ".json")).write_text(json.dumps(record))
                jobs.append({"id": len(jobs), "kind": "score", "needs": [], "runs": [run], "base": "b",
                             "outputs": [{"key": key, "description": description, "evaluations": ["ti_code"]}]})
    manifest = {
        "schema": "atelier.manifest/1", "study": "bench", "yaml": "", "overrides": [], "runs": runs, "jobs": jobs, "tables": {},
        "keep": "all",
        "protocols": {"ti_code": {"id": "ti_code", "encoders": {"clip": "e" * 64},
                                  "scoring": {"encoders": {"clip": {"scores": ["image", "text"]}},
                                              "set_scores": ["gbar_norm", "clip_t_paper"]}}},
    }
    text = canonical(manifest)
    (options.store / "manifests" / (digest(text) + ".json")).write_text(text)
    print(f"{len(runs)} runs, {len(runs) * len(prompts) * options.pictures} scored pictures")


if __name__ == "__main__":
    main()
