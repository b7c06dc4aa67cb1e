#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# All benchmarks of a build, as Markdown on standard output:  bench/run.sh BUILD_DIRECTORY
# About five minutes on two cores. The instruction table is the one to compare across machines.
set -eu
here=$(dirname "$0")
build=$(cd "${1:?usage: run.sh BUILD_DIRECTORY}" && pwd)
shim=$build/libshim/libshim.so
programs=$build/bench

python3 -c "import sys; sys.path.insert(0, '$here'); import shims; print(shims.machine())"
echo
echo "Instructions a malloc+free pair, by callgrind; counters and sampling on."
echo
python3 "$here/instructions.py" --shim "$shim" --pairs-program "$programs/pairs"
python3 "$here/ratio.py" --shim "$shim" --programs "$programs"
python3 "$here/micro.py" --shim "$shim" --programs "$programs"
if [ -x "$build/tools/offheap" ]; then
  python3 "$here/explain.py" --shim "$shim" --programs "$programs" --offheap "$build/tools/offheap"
fi
