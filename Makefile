# SPDX-License-Identifier: Apache-2.0
#
# make build   offheap and libshim.so for this machine, in build/
# make release the same in build-release/, with a libshim.so for every glibc from 2.31 on
# make demo    a leaking JVM in a Docker container, explained from the host
# make test    everything that is tested: style, both compilers, sanitizers, every suite
# make nightly what takes too long for every change: ten minutes of load, and more fuzzing
# make programs  other people's programs under the shim, every backend, into docs/programs.md
# make bench   the tables of costs, into docs/benchmarks.md
# make format  clang-format over the sources
#
# release, demo, test, nightly, programs and bench install what .packages lists (Debian 12, as root or with sudo) unless it is there already.
SHELL := /bin/bash
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
JOBS ?= $(shell nproc)
SOURCES = git ls-files '*.h' '*.c' '*.cc'
# Many tests look at live programs, by the clock: they wait more than they work, so one more runs than there
# are cores, and on a busy machine only what fails three times is broken.
CTEST = ctest -j $$(($(JOBS) + 1)) --repeat until-pass:3
APT = DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300

.PHONY: build release demo test nightly programs bench format clean packages-all packages-bench packages-demo packages-programs \
  lint format-check tidy test-clang test-sanitized test-races

# The words of .packages that $(1) wants and that are not installed.
missing = $(shell awk '!/^\#/ && NF == 1 {print $$1} !/^\#/ && NF == 2 && $$1 == "$(1)" {print $$2}' .packages | \
  while read -r name; do dpkg-query -W -f '$${Status}' "$$name" 2>/dev/null | grep -q ' installed' || echo "$$name"; done)
define install
@missing="$(call missing,$(1))"; if [ -n "$$missing" ]; then \
  echo "installing: $$missing"; \
  $(SUDO) env $(APT) update -qq && \
  $(SUDO) env $(APT) install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

build:
	cmake --preset gcc
	cmake --build --preset gcc -j $(JOBS)

# A root takes root rights, and is read by everyone.
release: packages-demo
	$(SUDO) tests/roots/make_root.sh bullseye build-release/roots/bullseye
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

packages-demo:
	$(call install,demo)

packages-bench: packages-all
	$(call install,bench)

# The servers among them are not started: they run from temporary folders.
packages-programs: packages-all
	@[ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' | $(SUDO) install -m 755 /dev/stdin /usr/sbin/policy-rc.d; touch .no-services; }
	$(call install,programs)
	@[ ! -e .no-services ] || { $(SUDO) rm /usr/sbin/policy-rc.d; rm .no-services; }

packages-all:
	$(call install,test)

demo: packages-demo
	cmake --preset gcc >/dev/null
	cmake --build --preset gcc -j $(JOBS) --target libshim offheap
	docker/demo.sh build

# The longest suite last, so that its closing lines end the output.
test: packages-all
	$(MAKE) format-check
	$(MAKE) build
	$(MAKE) tidy
	$(MAKE) test-clang
	$(MAKE) test-sanitized
	$(CTEST) --preset gcc

nightly: packages-all build test-races
	ctest --preset nightly -j $(JOBS)

programs: packages-programs build
	tests/programs/run.py --build build --all --output docs/programs.md

# What threads share in the target, under the thread sanitizer, which is blind to libunwind's own locks.
SHARED_TABLES = recorder live_samples site_table direct_mappings unwinder_threads
test-races:
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS) --target $(SHARED_TABLES:%=shim_%_test)
	ctest --preset tsan -R '^Shim(Recorder|LiveSamples|SiteTable|DirectMappings|UnwinderThreads)' -E libunwind

# What runs in the target, and its tests; the rest is compiled by clang for the sanitizers.
test-clang:
	cmake --preset clang
	cmake --build --preset clang -j $(JOBS) --target libshim tests/preload/all bench/all
	$(CTEST) --preset clang

test-sanitized:
	cmake --preset asan-ubsan
	cmake --build --preset asan-ubsan -j $(JOBS)
	$(CTEST) --preset asan-ubsan

lint: format-check tidy

format-check:
	$(SOURCES) | xargs clang-format --dry-run -Werror

# A unity file includes sources, which is what it is for.
tidy:
	cmake --preset tidy >/dev/null
	sed -n 's/^ *"file": "\(.*\/tools\/.*\.c[cx]*\)",\{0,1\}$$/\1/p' build-tidy/compile_commands.json | \
	  xargs -P $(JOBS) -n 1 clang-tidy -p build-tidy --quiet --checks=-bugprone-suspicious-include 2>/dev/null

bench: packages-bench build
	bench/run.py --build build --output docs/benchmarks.md

format:
	$(SOURCES) | xargs clang-format -i

clean:
	rm -rf build build-*
