#!/usr/bin/env bash
# The whole path on real photos: four concepts, two methods, two seeds, on a Stable Diffusion of toy size with random
# weights: training, pictures, scores, table. A second call finds everything done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
store=out/demo/store

bin/atelier doctor || true
echo
bin/atelier run experiments/demo/study.yaml --store "$store"
echo
bin/atelier table demo --store "$store"
echo
echo "The loss on fixed photos, timesteps and noise, before and after each training stage:"
bin/atelier table demo --losses --store "$store"
echo
echo "Once more:"
bin/atelier run experiments/demo/study.yaml --store "$store"
echo
echo "With a model and photos of your own:"
echo "  bin/atelier train textreg --images DIR --class WORD --base DIR --out out/mine"
