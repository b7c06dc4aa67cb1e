#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# with_swap.sh MEGABYTES COMMAND...: runs COMMAND while a swap file of this size is in use, and HEAP_SWAP is
# set. Exit 77 with the reason where there can be none.
set -u

readonly size=$1
shift
file=$(mktemp "$PWD/swap.XXXXXX") || exit 77
remove() {
  swapoff "$file" 2>/dev/null
  rm -f "$file"
}
trap remove EXIT
trap 'exit 1' HUP INT TERM
chmod 600 "$file"
dd if=/dev/zero of="$file" bs=1M count="$size" 2>/dev/null
if ! { mkswap "$file" && swapon "$file"; } >/dev/null 2>&1; then
  echo "no swap file can be used here" >&2
  exit 77
fi
HEAP_SWAP=1 "$@"
