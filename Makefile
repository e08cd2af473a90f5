# SPDX-License-Identifier: MIT
# The front door: each goal first installs what it needs and this machine lacks
# (tools/setup.sh), then leaves the work to CMake, Ninja and CTest. `make help`.
MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/bash
JOBS ?= $(shell nproc)
# Many tests wait for the disk or for each other's processes: one more than there are cores.
TEST_JOBS ?= $(shell echo $$(($(JOBS) + 1)))
PREFIX ?= /usr/local
SETUP = @tools/setup.sh

# $(call configure,PRESET) and $(call build,PRESET)
configure = @cmake --preset $(1) -Wno-dev >build/$(1).configure.txt 2>&1 || { cat build/$(1).configure.txt; exit 1; }
build = @cmake --build build/$(1) -j$(JOBS)

.PHONY: all demo test verify sim bench install format lint mutants fuzz coverage clean help
.DEFAULT_GOAL := all

all: ## build/stele, and build/libstele and build/libstele-nats as .so and .a
	$(SETUP) build
	@mkdir -p build
	$(call configure,release)
	$(call build,release)
	@cd build && ln -sfn release/stele stele && ln -sfn release/libstele.a libstele.a && \
	    ln -sfn release/libstele-nats.a libstele-nats.a && \
	    for so in release/libstele.so* release/libstele-nats.so*; do ln -sfn $$so $${so##*/}; done

demo: ## show the main jobs, on this machine's own package history among others (about a minute)
	$(SETUP) demo
	@$(MAKE) all
	@demo/demo.sh

test: ## build with gcc and run every test, explorations cut to seconds
	$(SETUP) test
	@mkdir -p build
	$(call configure,dev)
	$(call build,dev)
	@ctest --preset dev -j$(TEST_JOBS)

verify: ## everything at full size: sanitizers, crashes, mutants, fuzzing, benchmarks
	$(SETUP) verify
	@tools/verify.sh

sim: ## fleets in one thread, with trouble in everything around them: 20,000 runs
	$(SETUP) test
	@mkdir -p build
	$(call configure,full)
	@cmake --build build/full -j$(JOBS) --target fleet_sim_test
	@tools/sim.sh

bench: ## the table of benchmarks, peers beside
	$(SETUP) bench
	@mkdir -p build
	$(call configure,bench)
	$(call build,bench)
	@bench/bench.sh build/bench

install: all ## install below PREFIX (/usr/local); DESTDIR is understood
	@cmake --install build/release --prefix $(PREFIX)

format: ## bring the code into form
	$(SETUP) lint
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

lint: ## layers, form, exported symbols, system calls, clang-tidy
	$(SETUP) lint
	@tools/lint.sh

mutants: ## switch on each seeded bug: do the tests find it?
	$(SETUP) test
	@tools/mutants.sh

fuzz: ## run each fuzz target for STELE_FUZZ_SECONDS (60)
	$(SETUP) verify
	@tools/fuzz.sh

coverage: ## run the tests and count the lines that they reach
	$(SETUP) test
	@tools/coverage.sh

clean: ## remove everything that was built
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
