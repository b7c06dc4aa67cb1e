#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A Docker daemon and a Debian base image, where there may be neither and no registry to pull from.
# Used by demo.sh and by tests/docker.
#
#   host.sh start DIR   use the daemon that answers, or start one whose files stand in DIR; prints the
#                       DOCKER_HOST to use (empty = the default). Exit 77 with the reason where it cannot be.
#   host.sh base DIR    the image offheap-base:bookworm (Debian with a Java runtime), made by debootstrap from
#                       the mirror that this machine's apt already uses, and kept in DIR
#   host.sh stop DIR    stops the daemon that `start DIR` started, and no other
set -euo pipefail

readonly command=${1:?start, base or stop}
mkdir -p "${2:?a directory for the files of the daemon}"
directory=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
readonly directory here
readonly image=offheap-base:bookworm
readonly pid_file=$directory/dockerd.pid
readonly host_file=$directory/host

impossible() {
  echo "$1" >&2
  exit 77
}

answers() { timeout 10 docker version >/dev/null 2>&1; }

own_pid() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  # The pid may have been given to somebody else since.
  grep -qz dockerd "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

try_storage() {
  # No bridge and no packet filter: nothing here needs a network, and the machine's own stays as it is.
  (
    # Nor does it hold what its starter has open, a lock for example.
    for descriptor in $(ls "/proc/$BASHPID/fd"); do
      if [ "$descriptor" -gt 2 ]; then eval "exec $descriptor>&-"; fi
    done
    exec setsid dockerd --storage-driver="$1" --data-root "$directory/data" --exec-root "$socket_directory/exec" \
      --pidfile "$pid_file" --host "unix://$socket_directory/docker.sock" --bridge=none --iptables=false \
      --ip-forward=false --ip-masq=false </dev/null >"$directory/dockerd-$1.log" 2>&1
  ) &
  local daemon=$!
  for _ in $(seq 60); do
    sleep 0.5
    if answers; then return 0; fi
    if ! kill -0 "$daemon" 2>/dev/null; then return 1; fi
  done
  kill "$daemon" || true
  return 1
}

start() {
  command -v docker >/dev/null || impossible "the docker client is not installed (package docker.io)"
  if answers; then
    echo "${DOCKER_HOST:-}"
    return
  fi
  command -v dockerd >/dev/null || impossible "no Docker daemon answers and dockerd is not installed"
  [ "$(id -u)" = 0 ] || impossible "no Docker daemon answers and starting one takes root"
  # A socket's path may have 107 bytes: a build directory's is often longer.
  socket_directory=$(mktemp -d /run/offheap-docker.XXXXXX)
  export DOCKER_HOST=unix://$socket_directory/docker.sock
  echo "$DOCKER_HOST" >"$host_file"
  for storage in overlay2 vfs; do
    if try_storage "$storage"; then
      echo "$DOCKER_HOST"
      return
    fi
  done
  impossible "dockerd does not come up: $(grep -h level=fatal "$directory"/dockerd-*.log | tail -1 || true)
$(tail -n 3 "$directory"/dockerd-vfs.log)"
}

base() {
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  local archive=$directory/base-bookworm.tar
  if [ ! -s "$archive" ]; then
    [ "$(id -u)" = 0 ] || impossible "making a base image takes root"
    command -v debootstrap >/dev/null || impossible "debootstrap is not installed"
    local mirror
    mirror=$("$here/mirror.sh") || exit 77
    echo "making a Debian base image by debootstrap (about a minute, once)" >&2
    rm -rf "$directory/root"
    debootstrap --variant=minbase --include=openjdk-17-jre-headless bookworm "$directory/root" "$mirror" \
      >"$directory/debootstrap.log" 2>&1 || impossible "debootstrap failed: $(tail -n 3 "$directory/debootstrap.log")"
    tar -C "$directory/root" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists -cf "$archive.part" .
    mv "$archive.part" "$archive"
    rm -rf "$directory/root"
  fi
  docker import "$archive" "$image" >/dev/null
}

stop() {
  local pid
  pid=$(own_pid) || return 0
  kill "$pid"
  for _ in $(seq 60); do
    own_pid >/dev/null || break
    sleep 0.5
  done
  local host sockets
  host=$(cat "$host_file")
  sockets=$(dirname "${host#unix://}")
  # The daemon leaves its mount of the container-less network namespace behind.
  umount --lazy "$sockets"/exec/netns/* 2>/dev/null || true
  rm -rf "$sockets" "$host_file"
}

"$command"
