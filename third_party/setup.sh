#!/usr/bin/env bash
# Installs what Atelier is built from: Debian packages by name, LibTorch by hash. Safe to call again: it only does
# what is missing, and once everything is there it needs no network.
#
#   third_party/setup.sh apt | fetch | cuda | slurm | slurm-if-alone
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$here/.cache
prefix=$cache/libtorch

list=$here/packages.txt

# packages LISTED: the required ones, or with '?' those that are nice to have.
packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$list" | if [ "${1:-}" = '?' ]; then sed -n 's/^?//p'; else grep -v '^?'; fi; }

missing_packages() {
  local name
  for name in $(packages "${1:-}"); do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
  done
}

setup_apt() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this is not a Debian or Ubuntu system. Install the equivalents of these packages, then run make again:" >&2
    packages | tr '\n' ' ' >&2
    echo >&2
    exit 2
  fi
  local missing nice sudo=()
  missing=$(missing_packages | tr '\n' ' ')
  nice=$(missing_packages '?' | tr '\n' ' ')
  [ -n "$missing$nice" ] || { echo "setup: all packages are installed"; return; }
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      sudo=(sudo)
    elif [ -z "$missing" ]; then
      return
    else
      echo "setup: these packages are missing and you are not root. Ask an administrator to run:" >&2
      echo "  apt-get install -y $missing" >&2
      exit 2
    fi
  fi
  # shellcheck disable=SC2086  # lists of package names
  if [ -n "$missing" ]; then
    echo "setup: installing $missing"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  fi
  # shellcheck disable=SC2086
  [ -z "$nice" ] || "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $nice >/dev/null 2>&1 ||
    echo "setup: going on without $nice"
}

# For `make test`: Slurm where its packages start no service and meet no other Slurm, as on the bare machine of a CI.
setup_slurm_if_alone() {
  "$here/../tests/slurm/cluster.sh" available >/dev/null && return
  list=$here/packages-slurm.txt
  # shellcheck disable=SC2046  # a list of package names
  if [ "$(id -u)" -eq 0 ] && [ ! -d /run/systemd/system ] && ! command -v squeue >/dev/null && command -v apt-get >/dev/null &&
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(packages) >/dev/null 2>&1; then
    return
  fi
  echo "setup: no Slurm here; its tests are skipped (make test-slurm installs it and runs them)"
}

# fetch_wheels LIST: downloads what LIST pins, verified by hash, into a folder of its own; prints that folder.
fetch_wheels() {
  local list=$1 into
  into=$cache/wheels-$(basename "$list" .txt)
  mkdir -p "$into"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --python-version 3.11 --implementation cp --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_24_x86_64 \
    --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest "$into" --requirement "$list" >&2 || {
    echo "setup: could not fetch the archives that $list pins." >&2
    echo "  expected: a package index reachable by 'python3 -m pip download', files whose SHA-256 equals the pinned one" >&2
    echo "  to do:    check the network and pip's settings, or put the .whl files into $into and run make again" >&2
    return 1
  }
  echo "$into"
}

# Unpacks into a temporary folder that is renamed at the end, so that a killed set-up leaves nothing half done.
setup_fetch() {
  local stamp=$prefix/.stamp want wheels partial wheel
  want=$(sha256sum <"$here/wheels-cpu.txt")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
    echo "setup: LibTorch is unpacked"
    return
  fi
  echo "setup: fetching LibTorch (about 550 MB, once)"
  wheels=$(fetch_wheels "$here/wheels-cpu.txt")
  partial=$cache/libtorch.partial
  rm -rf "$partial" "$prefix"
  mkdir -p "$partial"
  for wheel in "$wheels"/*.whl; do
    echo "setup: unpacking $(basename "$wheel")"
    unzip -q -o "$wheel" 'torch/include/*' 'torch/lib/*.so*' 'nvidia/cu13/lib/libcudart.so*' 'nvidia/cu13/lib/libcupti.so*' \
      'torch-*/licenses/*' 'torch-*/LICENSE' 'torch-*/NOTICE' \
      -x 'torch/lib/libtorch_python.so' 'torch/lib/libtorch_cuda*.so' 'torch/lib/libtorch_nvshmem.so' -d "$partial" 2>/dev/null || [ $? -eq 11 ]
  done
  echo "$want" >"$partial/.stamp"
  mv "$partial" "$prefix"
  rm -rf "$wheels"
}

setup_cuda() {
  local stamp=$prefix/.stamp-cuda want wheels wheel
  want=$(sha256sum <"$here/wheels-cuda.txt")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
    echo "setup: the NVIDIA libraries are unpacked"
    return
  fi
  echo "setup: fetching the NVIDIA libraries (about 2.5 GB, once)"
  wheels=$(fetch_wheels "$here/wheels-cuda.txt")
  for wheel in "$wheels"/*.whl; do
    echo "setup: unpacking $(basename "$wheel")"
    unzip -q -o "$wheel" 'nvidia/*' 'torch/lib/libtorch_cuda*.so' 'torch/lib/libtorch_nvshmem.so' -x '*.a' -d "$prefix" 2>/dev/null ||
      [ $? -eq 11 ]
  done
  rm -rf "$wheels"
  echo "$want" >"$stamp"
}

case "${1:-}" in
  apt) setup_apt ;;
  slurm) list=$here/packages-slurm.txt && setup_apt ;;
  slurm-if-alone) setup_slurm_if_alone ;;
  fetch) setup_fetch ;;
  cuda) setup_cuda ;;
  *)
    echo "usage: $0 apt | fetch | cuda | slurm | slurm-if-alone" >&2
    exit 2
    ;;
esac
