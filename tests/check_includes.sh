#!/usr/bin/env bash
# Rooms see only the rooms before them (framework/CMakeLists.txt lists them in order). The linker catches a wrong call; this
# catches a wrong include, which for a header without code would link. Exits 1 and names file and line of each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A sees=(
  [core]="core"
  [files]="core files"
  [image]="core image"
  [text]="core text"
  [formats]="core files text formats"
  [config]="core config"
  [store]="core config store"
  [plan]="core files image text formats config store plan"
  [execute]="core config store plan execute"
  [cli]="core files image text formats config store plan execute cli"
  [cuda]="cuda"
  [tensor]="core files cuda tensor"
  [schedulers]="core schedulers"
  [models]="core files text formats tensor models"
  [sampling]="core files image text formats cuda tensor schedulers models sampling"
  [training]="core files image text formats config tensor schedulers models sampling training"
  [pretraining]="core files image text formats config tensor schedulers models sampling training pretraining"
  [methods]="core files image text formats config tensor schedulers models sampling training methods"
  [worker]="core files image text formats config store tensor schedulers models sampling training pretraining methods worker"
)

status=0
for folder in framework/*/; do
  room=$(basename "$folder")
  if [ -z "${sees[$room]:-}" ]; then
    echo "$folder: a room that $0 does not know; add what it may see"
    status=1
    continue
  fi
  allowed=" ${sees[$room]} "
  while IFS=: read -r file line text; do
    seen=$(sed -E 's|.*"framework/([a-z_]+)/.*|\1|' <<<"$text")
    if [[ $allowed != *" $seen "* ]]; then
      echo "$file:$line: $room may not include from $seen"
      status=1
    fi
  done < <(grep -rnE '#include "framework/' "$folder" --include='*.h' --include='*.cpp' --include='*.cu')
done
# Reports come from the store alone: its index, manifests and pictures. Protocols come from the framework.
if grep -rnE '#include "(framework/|eval/|plugins/)' reports --include='*.h' --include='*.cpp' | grep -vE '"framework/(core|files|image|store)/'; then
  echo "reports: may include from core, files, image and store only"
  status=1
fi
if grep -rnE '#include "(reports|plugins)/' eval --include='*.h' --include='*.cpp'; then
  echo "eval: may include from framework only"
  status=1
fi
if grep -rnE '#include "(plugins|reports|eval)/' framework --include='*.h' --include='*.cpp' | grep -vE '^framework/(cli/[a-z_]+|worker/main)\.cpp:'; then
  echo "framework: only the programs may see reports and eval, and nothing plugins"
  status=1
fi
# Rooms without LibTorch stay without it.
for room in core files image text formats config store plan execute cli; do
  if grep -rnE '#include <(ATen|torch|c10)/' "framework/$room"; then
    echo "framework/$room: may not include LibTorch"
    status=1
  fi
done
# The umbrella header costs 10 seconds a file.
if grep -rnE '#include <torch/torch.h>' framework tests --include='*.h' --include='*.cpp'; then
  echo "include the per-operator headers instead"
  status=1
fi
# LibTorch's CHECK would replace Catch2's in what follows it.
while read -r folder; do
  if grep -rnE '#include <catch2/' "$folder" --include='*.h' --include='*.cpp'; then
    echo "$folder: include tests/support/catch_torch.h instead of Catch2"
    status=1
  fi
done < <(grep -rlE '#include "tests/support/catch_torch.h"' tests --include='*.h' --include='*.cpp' | xargs -n1 dirname | sort -u)
exit $status
