#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build_release.sh CMAKE ROOT BUILD: in BUILD, the shim as it is released, against the C library of ROOT, and
# the programs of programs.txt against the same, so that both run everywhere. Exit 77 where there is no ROOT.
set -euo pipefail

readonly cmake=${1:?} root=${2:?} build=${3:?}
if [ ! -e "$root/.made" ]; then
  echo "$root has not been made" >&2
  exit 77
fi
cd "$(dirname "$0")/../.."
"$cmake" --preset release -B "$build" -DOFFHEAP_SYSROOT="$(realpath "$root")" -DOFFHEAP_TESTS=ON >"$build.log"
mapfile -t programs < <(sed 's/^/preload_/' tests/roots/programs.txt)
"$cmake" --build "$build" --target libshim libshim_attach plugin_small_frames plugin_large_frames "${programs[@]}"
