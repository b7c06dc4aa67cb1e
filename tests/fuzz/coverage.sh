#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Which lines of the parsers run in the unit tests, the property tests and the fuzzers' corpora with a few
# mutations, all together. Prints a line a file and the sum; builds in build-coverage/.
#
#   tests/fuzz/coverage.sh            build, run, print
#   tests/fuzz/coverage.sh LEAST      and fail below LEAST percent
set -euo pipefail
cd "$(dirname "$0")/../.."
least=${1:-0}

# Everything that reads what a target, a log, a daemon or another program wrote.
parsers=(
  tools/procfs/{smaps,process,text_file,exported_symbols,inner_tids,thread_stacks}.cc
  tools/symbols/{function_table,table_message,demangle}.cc
  tools/ledger/elf_spans.cc
  tools/glibc_heap/*.cc
  tools/hotspot/*.cc
  tools/recording/{parse,file,frames,counters}.cc
  tools/attach/{seccomp_filter,waiting_thread}.cc
  tools/cgroup/parse.cc
  tools/container/{docker,http,names}.cc
  tools/oomlog/*.cc
  tools/host/{parse,kill_log}.cc
  tools/peek/*.cc
  tools/watch/{incident,incident_text,store_names}.cc
  tools/ab/{row,load_output,entry}.cc
  tools/commands/binary_check.cc
)
tests=(apart_test containers_test explain_test procfs_test glibc_heap_test host_test hotspot_test oomlog_test
  peek_test recording_test symbols_test watch_test ab_report_test ab_entry_test ab_load_output_test
  heap_property_test stacks_property_test host_property_test oomlog_property_test ab_property_test)
fuzzers=(recording smaps thread_stacks elf_memory attach cgroup docker host oomlog ab_rows function_table binary peek load_output
  ab_entry watch arenas hotspot jvm)
mutations=2000

cmake --preset coverage >/dev/null
cmake --build --preset coverage --target "${tests[@]}" "${fuzzers[@]/%/_fuzzer}" symbols_program >/dev/null

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
export LLVM_PROFILE_FILE="$found/%p-%m.profraw"
objects=()
for test in "${tests[@]}"; do
  program=$(find build-coverage/tests -type f -name "$test" -perm -u+x)
  (cd "$(dirname "$program")" && "./$test" --gtest_brief=1 >"$found/$test.log" 2>&1) || {
    tail -20 "$found/$test.log" >&2
    exit 1
  }
  objects+=(-object "$program")
done
for fuzzer in "${fuzzers[@]}"; do
  corpus=$PWD/tests/fuzz/corpus/${fuzzer/#binary/function_table}
  program=build-coverage/tests/fuzz/${fuzzer}_fuzzer
  (cd build-coverage/tests/fuzz && "./${fuzzer}_fuzzer" "$corpus" "$mutations" >/dev/null)
  objects+=(-object "$program")
done

llvm-profdata merge -sparse "$found"/*.profraw -o "$found/all.profdata"
# The first program stands without -object: whatever comes before the sources is taken for it.
llvm-cov export -summary-only -instr-profile "$found/all.profdata" "${objects[@]:1}" "${parsers[@]}" >"$found/summary.json"
python3 - "$found/summary.json" "$PWD" "$least" <<'PYTHON'
import json, os, sys
summary = json.load(open(sys.argv[1]))["data"][0]
for file in summary["files"]:
    lines = file["summary"]["lines"]
    print(f"{lines['percent']:6.1f} %  {lines['covered']:5} of {lines['count']:5}  {os.path.relpath(file['filename'], sys.argv[2])}")
total = summary["totals"]["lines"]
print(f"{total['percent']:6.1f} %  {total['covered']:5} of {total['count']:5}  all")
sys.exit(total["percent"] < float(sys.argv[3]))
PYTHON
