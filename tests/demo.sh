#!/usr/bin/env bash
# A first picture, from a Stable Diffusion of toy size with random weights that the tests use: what comes out is noise with
# a structure, but every part of the program has run. Then what it takes to sample from your own model.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=out/demo
model=tests/parity/models/sd15

bin/atelier doctor || true
echo
echo "Two pictures of one prompt, 20 steps, from a Stable Diffusion with random weights:"
bin/atelier sample --model "$model" --prompt "a photo of a cat" -n 2 --steps 20 --size 64x64 --seed 1 --out "$out/pictures" --json
echo
echo "The same noise prediction as diffusers, on the reference input that the tests keep:"
bin/atelier probe component unet --model "$model" --in tests/parity/references/sd15/unet_10x14.in.safetensors \
  --out "$out/noise_pred.safetensors"
echo "written: $out/noise_pred.safetensors"
echo
echo "With a model of your own:  bin/atelier sample --model DIR --prompt 'a photo of a cat' --out DIR"
