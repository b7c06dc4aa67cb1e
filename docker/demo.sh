#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh BUILD: a JVM in a real Docker container with a memory limit fills it up; offheap, run on the
# host, says what with. Without Docker the same JVM runs as a plain process, and the demo says so.
set -euo pipefail

build=$(cd "${1:?a build directory}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
readonly build here
readonly seconds=${OFFHEAP_DEMO_SECONDS:-20}
readonly name=offheap-demo-$$
readonly work=$build/docker
offheap=$build/tools/offheap
process=

say() { printf '\n== %s\n' "$*"; }
run() {
  printf '$ %s\n' "${*/#$offheap/offheap}"
  "$@"
}

finish() {
  if [ -n "$process" ]; then kill "$process" 2>/dev/null || true; fi
  if [ "${in_docker:-no}" = yes ]; then docker rm -f "$name" >/dev/null 2>&1 || true; fi
  if [ "${started:-no}" = yes ]; then "$here/host.sh" stop "$work"; fi
}
trap finish EXIT

context() {
  rm -rf "$work/demo"
  mkdir -p "$work/demo"
  javac -d "$work/demo" "$here/demo/Shop.java"
  cp "$build/libshim/libshim.so" "$here/demo/Dockerfile" "$work/demo/"
}

wait_for_growth() {
  say "The shop works for $seconds s"
  for ((second = 0; second < seconds; second += 5)); do
    sleep 5
    awk -v s=$((second + 5)) '/^VmRSS/ {printf "   after %2d s: RSS %d MiB\n", s, $2 / 1024}' "/proc/$1/status"
  done
}

in_container() {
  local before=${DOCKER_HOST:-} host
  host=$("$here/host.sh" start "$work") || return 1
  if [ "$host" != "$before" ]; then
    started=yes
    export DOCKER_HOST=$host
  fi
  "$here/host.sh" base "$work" || return 1
  in_docker=yes
  say "An image with the two lines that preload libshim, and a container with 512 MB"
  tail -n 2 "$here/demo/Dockerfile"
  DOCKER_BUILDKIT=0 docker build --network none --tag offheap-demo "$work/demo" >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    return 1
  }
  run docker run --detach --name "$name" --network none --memory 512m offheap-demo
  pid=$(docker inspect --format '{{.State.Pid}}' "$name")
  wait_for_growth "$pid"
  say "On the host, from outside the container"
  run "$offheap" explain "$pid" --for 5s
}

without_container() {
  LD_PRELOAD=$build/libshim/libshim.so java -Xmx64m -XX:+UseSerialGC -cp "$work/demo" Shop &
  process=$!
  wait_for_growth "$process"
  run "$offheap" explain "$process" --for 5s
}

context
if ! in_container; then
  if [ "${in_docker:-no}" = yes ]; then exit 1; fi
  say "Docker cannot run here (the line above says why): the same JVM without a container"
  without_container
fi
