#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# make_root.sh SUITE DIR [PACKAGE...]: a small Debian SUITE in DIR, by debootstrap from the mirror that this
# machine's apt uses. Without PACKAGEs, what the tests want of that suite. A root that stands already and has
# them stays as it is. Exit 77 with the reason where a root cannot be made; 1 where the variable CI is set,
# since there it must.
set -euo pipefail

readonly suite=${1:?a Debian suite} root=${2:?the directory to make the root in}
here=$(cd "$(dirname "$0")" && pwd)
readonly here
shift 2

packages_of() {
  case $1 in
    bullseye) echo libstdc++-10-dev libjemalloc2 libtcmalloc-minimal4 ;; # what the release is built against, too
    trixie) echo libjemalloc2 libtcmalloc-minimal4t64 openjdk-21-jre-headless openjdk-25-jre-headless ;;
    sid) echo libjemalloc2 libtcmalloc-minimal4t64 ;;
  esac
}

impossible() {
  echo "no Debian $suite: $1" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 77
}

# A mounted /proc would be emptied with the rest.
discard() { rm -rf --one-file-system "${1:?}"; }

# A linker that works outside the root takes an absolute link for one to this machine's files.
make_links_relative() {
  find "$root/usr/lib64" "$root/usr/lib/$(uname -m)-linux-gnu" -maxdepth 1 -lname '/*' 2>/dev/null |
    while read -r link; do ln -sfnr "$root$(readlink "$link")" "$link"; done
}

read -ra packages <<<"${*:-$(packages_of "$suite")}"
readonly packages
# Which packages, in one line: written last, so that a root half made is never taken for one.
readonly made=$root/.made
readonly wanted="$suite ${packages[*]}"
if [ "$(cat "$made" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

[ "$(id -u)" = 0 ] || impossible "making one takes root"
command -v debootstrap >/dev/null || impossible "debootstrap is not installed"
mirror=$("$here/../../docker/mirror.sh") || impossible "there is no mirror"
mkdir -p "$(dirname "$root")"
if [ -d "$root" ]; then discard "$root"; fi
include=$(IFS=, && echo "${packages[*]}")
if ! debootstrap --variant=minbase ${include:+--include="$include"} "$suite" "$root" "$mirror" >"$root.log" 2>&1; then
  reason=$(tail -n 3 "$root.log")
  discard "$root"
  impossible "debootstrap failed: $reason"
fi
make_links_relative
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists
echo "$wanted" >"$made"
