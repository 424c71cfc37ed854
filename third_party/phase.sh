#!/usr/bin/env bash
# phase.sh NAME COMMAND…   runs the command and notes how many seconds it took.
# phase.sh --report        prints the phases noted since the last report.
set -euo pipefail
notes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build/phases
mkdir -p "$(dirname "$notes")"
if [ "$1" = --report ]; then
  [ -f "$notes" ] || exit 0
  echo "phase                 seconds"
  awk '{printf "%-20s %8.1f\n", $1, $2; sum += $2} END {printf "%-20s %8.1f\n", "total", sum}' "$notes"
  rm -f "$notes"
  exit 0
fi
name=$1
shift
start=$(date +%s.%N)
echo "== $name"
status=0
"$@" || status=$?
echo "$name $(echo "$(date +%s.%N) $start" | awk '{print $1 - $2}')" >>"$notes"
exit "$status"
