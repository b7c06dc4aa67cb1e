#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# with_huge_pages.sh COUNT COMMAND...: runs COMMAND while the hugetlb pool has COUNT pages to spare, and puts
# the pool back. Exit 77 with the reason where the pool cannot be filled.
set -u

readonly pool=/proc/sys/vm/nr_hugepages
readonly count=$1
shift
[ -w "$pool" ] || { echo "$pool cannot be written" >&2; exit 77; }
before=$(cat "$pool")
restore() { echo "$before" >"$pool"; }
trap restore EXIT
trap 'exit 1' HUP INT TERM
echo $((before + count)) >"$pool"
if [ "$(cat "$pool")" -lt $((before + count)) ]; then
  echo "no $count huge pages to be had" >&2
  exit 77
fi
"$@"
