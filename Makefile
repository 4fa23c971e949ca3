# `make help` lists the targets.
export CGO_ENABLED ?= 0
GO ?= go
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo devel)
IMAGE_REGISTRY ?= localhost
IMAGE_TAG ?= $(VERSION)
# Packages to fuzz, and how long each target of theirs.
FUZZ ?= $(shell git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u)
FUZZTIME ?= 60s

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

test: kubernetes vault cert-manager ## run the tests, on a real API server
	CGO_ENABLED=1 $(GO) test -race -timeout 10m ./...

kubernetes: ## build the Kubernetes of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

vault: ## build the Vault of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

cert-manager: ## build the cert-manager of the tests, once
	@$(GO) run ./test/build $@ >/dev/null

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./test/...
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags e2e ./test/...

generate: ## write the generated files anew
	$(GO) test ./manifests ./cmd/osm-controller -update # the chart, which the others read
	$(GO) test ./manifests/render ./injector ./cmd/osm -update

verify: ## fail if a generated file or go.mod is stale
	$(GO) mod tidy -diff
	$(GO) test -count 1 ./manifests ./cmd/osm-controller ./manifests/render ./injector ./cmd/osm

bench: vault cert-manager ## measure what the budgets are about
	$(GO) test -run '^$$' -bench . -benchmem ./issuer ./issuer/vault ./issuer/certmanager ./injector ./sds ./cmd/osm-injector

fuzz: ## run every fuzz target of FUZZ (all packages) for FUZZTIME (60s)
	@for package in $(FUZZ); do \
	  targets=$$($(GO) test -list '^Fuzz' ./$$package) || exit 1; \
	  for target in $$(echo "$$targets" | grep '^Fuzz'); do \
	    echo "$$package: $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel 2 ./$$package || exit 1; done; done

images: build ## pack an OCI image archive of each of the cluster's binaries into dist/
	@mkdir -p dist && for c in $(COMPONENTS); do \
	  $(GO) run ./test/image/pack -o dist/$$c.tar -name $(IMAGE_REGISTRY)/$$c:$(IMAGE_TAG) bin/$$c || exit 1; done
	@ls -l dist

e2e: kubernetes ## run the tests that need root: real pods on a full node
	$(GO) test -p 1 -count 1 -timeout 20m -tags e2e -v ./test/cluster ./test/e2e

browser: kubernetes ## show the status page to a chromium, with JavaScript and without
	BROWSER=required $(GO) test -count 1 -timeout 10m -run TestTheDashboardShowsTheMesh ./test/integration

screenshots: kubernetes ## take the pictures of docs/ anew, with a chromium
	BROWSER=required SCREENSHOT=$(CURDIR)/docs/dashboard.png $(GO) test -count 1 -timeout 10m -run TestTheDashboardShowsTheMesh ./test/integration

soak: build kubernetes vault ## replace the root under load for half an hour, with everything killed on the way (SOAK=short: a tenth of it)
	@$(GO) build -o bin/soak ./test/soak && exec bin/soak $(if $(filter short,$(SOAK)),-short)

clean: ## remove bin/ and dist/
	rm -rf bin dist

.PHONY: help build demo test kubernetes vault cert-manager lint generate verify bench fuzz browser screenshots images e2e soak clean
