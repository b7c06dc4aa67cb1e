#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the Debian mirror that this machine's own apt uses, from one-line or deb822 sources, so that no
# mirror's name stands anywhere. Exit 77 with the reason where there is none.
set -euo pipefail

found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  grep -v -e security -e 'file:' | head -1) || true
if [ -z "$found" ]; then
  echo "this machine's apt has no sources, so no Debian can be fetched" >&2
  exit 77
fi
echo "$found"
