# `make help` lists the targets.
export CGO_ENABLED ?= 0
GO ?= go
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo devel)
IMAGE_REGISTRY ?= localhost
IMAGE_TAG ?= $(VERSION)
# The architectures that images are for.
PLATFORMS ?= amd64 arm64
IMAGE_LABELS := -label org.opencontainers.image.version=$(VERSION) \
  -label org.opencontainers.image.revision=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
  -label org.opencontainers.image.source=https://github.com/osm-edge/osm \
  -label org.opencontainers.image.licenses=Apache-2.0
# Modules of what only tests and tools need, with tests of their own. Kubernetes, Vault and cert-manager have three more,
# which test/build builds.
NESTED := test/engines test/image/packer
# A tool of test/tools, in any module.
TOOL = $(GO) tool -modfile=$(CURDIR)/test/tools/go.mod

# Packages to fuzz, and how long each target of theirs.
FUZZ ?= $(shell git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u)
FUZZTIME ?= 60s

# Of the tests with real pods, those that attack, and those to run.
HOSTILE := ^TestARootPod
RUN ?= .

# A Pipy to test beside the reference sidecar or, with real pods, in its place.
ifdef PIPY
override PIPY := $(abspath $(or $(shell command -v '$(PIPY)'),$(error PIPY=$(PIPY) names no Pipy: give the path of a Pipy binary)))
export PIPY
endif
# An image of Pipy, for real pods.
ifdef PIPY_IMAGE
override PIPY_IMAGE := $(abspath $(PIPY_IMAGE))
export PIPY_IMAGE
endif

COMPONENTS := osm-bootstrap osm-injector osm-controller osm-init
LDFLAGS := -s -w -X github.com/osm-edge/osm/cmd/internal/component.version=$(VERSION)
# gRPC's traces would bring in templates, and with them every method there is: half of osm-controller's size.
TAGS := grpcnotrace

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the mesh's binaries, and osm, into bin/
	$(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ $(COMPONENTS:%=./cmd/%) ./cmd/osm

demo: build ## show the main job on a local Kubernetes (CERT_MANAGER=vault or cert-manager signs; KEEP=1 leaves it running)
	@$(GO) build -o bin/demo ./test/demo && exec bin/demo $(if $(CERT_MANAGER),-cert-manager $(CERT_MANAGER)) $(if $(KEEP),-keep)

TEST := CGO_ENABLED=1 GOGC=200 $(GO) test -race -vet=off -ldflags='-s -w' -timeout 15m

test: kubernetes vault cert-manager ## run the tests, on a real API server
	$(TEST) ./test/integration ./... # what waits longest comes first
	for module in $(NESTED); do (cd $$module && $(TEST) ./...) || exit 1; done

kubernetes: ## build the Kubernetes of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

vault: ## build the Vault of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

cert-manager: ## build the cert-manager of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

lint: ## gofmt, go vet and staticcheck, and no large files
	@large=$$(git ls-tree -rl HEAD | awk '$$4 > 1000000 { print $$5 }'); test -z "$$large" || { echo "over 1 MB: $$large"; exit 1; }
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	for module in . $(NESTED); do (cd $$module && $(GO) vet ./... && $(TOOL) staticcheck ./...) || exit 1; done
	$(GO) vet -tags e2e,cli,hostile ./test/...
	$(TOOL) staticcheck -tags e2e,cli,hostile ./test/...

generate: ## write the generated files anew
	$(GO) test ./manifests ./cmd/osm-controller -update # the chart, which the others read
	$(GO) test ./manifests/render ./injector ./cmd/osm -update

verify: ## fail if a generated file or go.mod is stale
	for module in . $(NESTED) test/tools; do $(GO) mod tidy -C $$module -diff || exit 1; done
	$(GO) test -count 1 ./manifests ./cmd/osm-controller ./manifests/render ./injector ./cmd/osm

bench: vault cert-manager ## measure what the budgets are about (PIPY=/path/to/pipy: that Pipy with the mesh's scripts, too)
	$(GO) test -run '^$$' -bench . -benchmem ./issuer ./issuer/vault ./issuer/certmanager ./injector ./sds ./cmd/osm-injector
	@$(if $(PIPY),$(GO) test -run '^$$' -bench . ./injector/pipy,echo 'PIPY=/path/to/pipy measures that Pipy, too: none is given')

fuzz: ## run every fuzz target of FUZZ (all packages) for FUZZTIME (60s)
	@for package in $(FUZZ); do \
	  targets=$$($(GO) test -C $$package -list '^Fuzz' .) || exit 1; \
	  for target in $$(echo "$$targets" | grep '^Fuzz'); do \
	    echo "$$package: $$target"; \
	    $(GO) test -C $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel 2 . || exit 1; done; done

images: ## pack an OCI image archive of each of the cluster's binaries, for all of PLATFORMS, and its SBOM, into dist/
	@for arch in $(PLATFORMS); do mkdir -p bin/$$arch dist && \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/$$arch/ $(COMPONENTS:%=./cmd/%) || exit 1; done
	@$(GO) build -C test/image/packer -o $(CURDIR)/bin/pack
	@for c in $(COMPONENTS); do \
	  bin/pack -o dist/$$c.tar -sbom dist/$$c.spdx.json -name $(IMAGE_REGISTRY)/$$c:$(IMAGE_TAG) $(IMAGE_LABELS) \
	    -label org.opencontainers.image.title=$$c $(PLATFORMS:%=bin/%/$$c) || exit 1; done
	@ls -l dist

e2e: kubernetes vault cert-manager ## run the tests that need root: real pods on a full node (PIPY=/path/to/pipy: with that static Pipy as their sidecar)
	$(GO) test -p 1 -count 1 -timeout 40m -tags e2e -v -skip '$(HOSTILE)' -run '$(RUN)' ./test/cluster ./test/e2e

hostile: kubernetes vault cert-manager ## attack the mesh as any pod and anything on the network can; a line an attack
	@mkdir -p bin && for room in hostile/network hostile/controlplane e2e; do \
	  run=.; test $$room = e2e && run='$(HOSTILE)'; \
	  $(GO) test -c -tags hostile,e2e -o bin/hostile ./test/$$room && (cd test/$$room && $(CURDIR)/bin/hostile -test.timeout 20m -test.run "$$run") || exit 1; done

cli: kubernetes vault cert-manager ## run the tests of osm, and the commands of docs/, on a real API server
	$(GO) test -count 1 -timeout 30m -tags cli -run '^Test(ABugReport|CARotate|Check|AMesh(Comes|IsNot|Without)|AnUpgrade|CommandsThat|HelmAndOsm|WhatAnInstallation)' ./test/integration
	$(GO) test -count 1 -timeout 30m -tags cli ./test/guide

browser: kubernetes ## show the status page to a chromium, with JavaScript and without
	BROWSER=required $(GO) test -count 1 -timeout 10m -tags cli -run TestTheDashboardShowsTheMesh ./test/integration

screenshots: build kubernetes ## take the pictures of docs/ anew, with a chromium
	$(GO) run ./test/screenshots

# How long to soak, and for how many handshakes at least if that is long.
SOAK_FLAGS := $(if $(filter short,$(SOAK)),-short) $(if $(filter long,$(SOAK)),-long -out dist/soak $(if $(HANDSHAKES),-handshakes $(HANDSHAKES)))

soak: build kubernetes vault cert-manager ## replace the root under load for a quarter of an hour, with everything killed on the way (SOAK=short: a tenth of it; SOAK=long: hours, with faults of every kind; PIPY=/path/to/pipy: with Pipys)
	@$(GO) build -o bin/soak ./test/soak && exec bin/soak $(SOAK_FLAGS)

clean: ## remove bin/ and dist/
	rm -rf bin dist

.PHONY: help build demo test cli browser screenshots kubernetes vault cert-manager lint generate verify bench fuzz images e2e hostile soak clean
