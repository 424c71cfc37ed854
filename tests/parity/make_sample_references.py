#!/usr/bin/env python3
"""Makes tests/parity/references/samples: whole pictures of methods and of edits, computed by diffusers' and
transformers' networks and by hand; shares no code with Atelier. Each folder is a case of `atelier sample`:

    in.safetensors    initial latents
    out.safetensors   final latents, and what else is compared; the metadata says with what they were made

    python3 tests/parity/make_sample_references.py [CASE ...]

Needs tests/parity/models and the packages of make_references.py but open_clip; no network. The committed files were
made with torch 2.11, diffusers 0.42 and transformers 5.24."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import functools  # noqa: E402

import diffusers  # noqa: E402
import reference_sample_catversion as catversion  # noqa: E402
import reference_sample_editing as editing  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from reference_files import REFERENCES  # noqa: E402

CASES = {"catversion": catversion.write,
         **{name: functools.partial(editing.write_edit, name) for name in editing.CASES},
         "attention_maps": functools.partial(editing.write_maps, "attention_maps")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases; default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, write in CASES.items():
        if not arguments.cases or name in arguments.cases:
            write(REFERENCES / "samples" / name)


if __name__ == "__main__":
    main()
