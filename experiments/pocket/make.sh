#!/usr/bin/env bash
# Makes the pocket world's base model again with Atelier alone: scene sets, the five recipes in order, the measures.
#
#   experiments/pocket/make.sh            as the recipes say (hours on two cores; a snapshot every few minutes, call it again)
#   experiments/pocket/make.sh mini       the same path in minutes: the files are the same bytes every time on one machine
#   DEVICE=cuda:0 experiments/pocket/make.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
variant=${1:-}
device=${DEVICE:-cpu}
recipes=experiments/pocket/recipes${variant:+/$variant}
out=out/pocket${variant:+-$variant}
world=build/release/bin/pocket-world

case "$variant" in
  "") "$world" draw --split train --count 40000 --seed 0 --out "$out/data/train" ;;
  mini) "$world" draw --split train --count 2000 --seed 0 --out "$out/data/mini" ;;
  *) echo "make.sh: '$variant'; expected nothing or mini" >&2; exit 2 ;;
esac
"$world" draw --split test --count 2000 --seed 1 --out "$out/data/test"
for component in vae clip unet segmenter judge; do
  recipe=$recipes/$component.yaml
  if [ "$device" != cpu ] && [ -e "$recipes/gpu/$component.yaml" ]; then recipe=$recipes/gpu/$component.yaml; fi
  bin/atelier base train "$recipe" --data "$out/data" --out "$out/base" --device "$device" --dtype bfloat16
done
if [ "$variant" = mini ]; then
  (cd "$out/base" && find . -name '*.safetensors' ! -path './.training/*' -print0 | sort -z | xargs -0 sha256sum)
else
  bin/atelier base measure experiments/pocket/quality.yaml --data "$out/data" --base "$out/base" --device "$device" --pictures "$out/pictures"
fi
