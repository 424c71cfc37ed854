#!/usr/bin/env python3
"""Makes tests/parity/models and tests/parity/references with diffusers and transformers; shares no code with Atelier.

    python3 tests/parity/make_references.py [--check]

Needs torch, diffusers, transformers, open_clip_torch (for the CLIP merge list), safetensors, numpy; no network. The
results are deterministic on one machine; on another CPU float32 results may differ in the last bits. --check loads the
written folders again through `from_pretrained` and verifies that they give the written outputs. The committed files
were made with torch 2.11, diffusers 0.42 and transformers 5.23."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse  # noqa: E402
import copy  # noqa: E402
import shutil  # noqa: E402

import diffusers  # noqa: E402
import reference_check  # noqa: E402
import reference_components  # noqa: E402
import reference_encoders  # noqa: E402
import reference_files  # noqa: E402
import reference_gradients  # noqa: E402
import reference_models  # noqa: E402
import reference_sampling  # noqa: E402
import reference_tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402


def make():
    for folder in (reference_files.MODELS, reference_files.REFERENCES):
        shutil.rmtree(folder, ignore_errors=True)
    for family in reference_models.families():
        reference_models.write_family(family)
        reference_tokenizers.write_references(family)
        reference_components.write_references(family)
        reference_gradients.write_references(family)
        reference_sampling.write_walks(family)
        reference_sampling.write_samples(family, copy.deepcopy(family.unet).double())
    reference_encoders.write_references()
    reference_files.report()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="only verify what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if not arguments.check:
        make()
    reference_check.run()


if __name__ == "__main__":
    main()
