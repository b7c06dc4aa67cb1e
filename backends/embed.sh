#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Turns a static archive of an allocator into one relocatable object that can lie beside others in
# libshim.so: its C entry points under names of ours, everything else local to the object, its
# mmap/munmap/sbrk redirected to ranges.cc, its constructors in a section that nothing runs by itself.
#
# usage: embed.sh ARCHIVE NAMES SECTION OUTPUT [OBJECT-OR-ARCHIVE...]
#   NAMES    lines "symbol new-symbol", "drop MEMBER", or "# ..."
#   SECTION  a C identifier; ld then provides __start_SECTION and __stop_SECTION
# The remaining arguments are linked in for what the allocator leaves undefined.
set -eu
archive=$1 names=$2 section=$3 output=$4
shift 4
: "${LD:=ld}" "${NM:=nm}" "${AR:=ar}" "${OBJCOPY:=objcopy}"

work=$output.parts
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
cd "$work"

awk '$1 != "drop" && !/^#/ && NF == 2' "$names" >redefine
awk '$2 ~ /^backend_/ && $1 != "drop" {print $2}' "$names" >keep
awk '$1 == "drop" {print $2}' "$names" >dropped
redirected=$(awk '$2 ~ /^shim_backend_/ {print $1}' redefine)

# The archive's order is the order in which constructors run.
"$AR" x "$archive"
members=$("$AR" t "$archive" | grep -vxFf dropped)

for member in $members; do
  # An allocator that brings its own mmap keeps it, out of everyone's way: callers go to ours.
  for symbol in $redirected; do
    if "$NM" --defined-only "$member" | grep -q " [A-Za-z] $symbol\$"; then
      "$OBJCOPY" --redefine-sym "$symbol=unused_$symbol" "$member"
    fi
  done
  "$OBJCOPY" --redefine-syms=redefine "$member"
done

"$LD" -r --force-group-allocation -o whole $members --start-group "$@" --end-group
# Unique symbols (inline statics of templates) stay global unless they are weak ones first.
"$OBJCOPY" --wildcard --weaken-symbol='_Z*' whole
"$OBJCOPY" --keep-global-symbols=keep --rename-section ".init_array=$section,alloc,load,data,contents" whole

# What would come back into the shim, or drag in a C++ runtime, must not be left over.
forbidden='malloc|calloc|realloc|reallocarray|free|cfree|memalign|aligned_alloc|posix_memalign|valloc'
forbidden="$forbidden|pvalloc|malloc_usable_size|mmap|mmap64|munmap|mremap|brk|sbrk|strdup|fopen"
forbidden="$forbidden|_Zn.*|_Zd.*|_ZS.*|_ZNS.*|_ZT.*|_Unwind_.*|__gxx_.*|__cxa_[b-z].*|__cxa_allocate.*"
if "$NM" -u whole | awk '{print $2}' | grep -Ex "$forbidden" >&2; then
  echo "embed.sh: $archive: the symbols above are undefined and must not be" >&2
  exit 1
fi
if "$NM" --defined-only whole | awk '$2 ~ /[A-Zuvw]/ && $3 !~ /^backend_/' |
  grep . >&2; then
  echo "embed.sh: $archive: the symbols above are not local" >&2
  exit 1
fi
if readelf -SW whole | grep -E ' \.(init_array|fini_array|ctors|dtors|preinit_array)' >&2; then
  echo "embed.sh: $archive: the sections above would run by themselves" >&2
  exit 1
fi
mv whole "$output"
