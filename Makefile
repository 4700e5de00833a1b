# Everything a developer or a CI system runs. 'make' alone lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
# The recipes share generated files and two cores: in parallel they would be in each other's way.
.NOTPARALLEL:

# ARGS goes to the program that a target runs: make demo ARGS=--once
ARGS ?=
# The kubectl for install, uninstall, deploy and undeploy. Tests and demo use one of their own.
KUBECTL ?= kubectl
# docker or buildah (podman works like docker).
CONTAINER_TOOL ?= $(firstword $(notdir $(shell command -v docker podman buildah)))
IMG_MANAGER ?= whatsapp-operator/manager:dev
IMG_WEBHOOK_SERVER ?= whatsapp-operator/webhook-server:dev
# What test runs: make test PKG=./controllers/...
PKG ?= ./...
# One package may take this long; the go command's 10 minutes are short for a busy machine with the race detector on.
TEST_TIMEOUT ?= 20m
# How many inputs fuzz tries on each target.
FUZZ_RUNS ?= 10000

# Paths that make generate owns.
GENERATED_API := api/v1alpha1/zz_generated.deepcopy.go api/v1alpha1/applyconfiguration
GENERATED_CRDS := config/crd/bases
GENERATED_DOCS := docs/api

DEV = $$(hack/tools.sh dev)
# Exported before a program that starts a control plane, so that a cold build shows its progress.
WITH_CONTROL_PLANE = assets=$$(hack/tools.sh envtest) && KUBEBUILDER_ASSETS="$$assets"

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make TARGET" } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## Remove what was built in the checkout.
	rm -rf bin

##@ See it work

.PHONY: demo
demo: ## Run all of it on this machine, from nothing. ARGS=--once exits 0 when everything was observed, else 1.
	@go build -o bin/demo ./hack/demo
	@$(WITH_CONTROL_PLANE) exec bin/demo $(ARGS)

.PHONY: bench
bench: ## Measure: every figure is a ratio against a baseline of the same run.
	@hack/prerequisites.sh initdb
	@go build -o bin/ingest ./test/perf/ingest
	@go build -o bin/perf ./test/perf
	@bin/ingest -sections=closed
	@$(WITH_CONTROL_PLANE) exec bin/perf $(ARGS)

.PHONY: bench-ingest
bench-ingest: ## Measure how webhooks become durable, against what test/perf/ingest/figures.yaml expects. ARGS=-short takes two minutes, not ten.
	@hack/prerequisites.sh initdb
	@go build -o bin/ingest ./test/perf/ingest
	@exec bin/ingest $(ARGS)

.PHONY: bench-operator
bench-operator: ## Measure what a fleet costs, against what test/perf/operator.yaml expects. ARGS=-short takes three minutes, not twenty.
	@go build -o bin/perf ./test/perf
	@$(WITH_CONTROL_PLANE) exec bin/perf -only=operator $(ARGS)

.PHONY: bench-turns
bench-turns: ## Measure what an answer costs without its model, also while 500 others wait for slow models.
	@go build -o bin/perf-turns ./test/perf/turns
	@exec bin/perf-turns $(ARGS)

.PHONY: bench-assistant
bench-assistant: ## Measure the search of catalogs, against what test/perf/assistant/figures.yaml expects, then what bench-turns does.
	@go build -o bin/perf-assistant ./test/perf/assistant
	@go build -o bin/perf-turns ./test/perf/turns
	@bin/perf-assistant
	@exec bin/perf-turns $(ARGS)

.PHONY: eval
# EVAL_SET is a directory of the format that docs/development.md describes.
EVAL_SET ?= test/eval/shop
eval: ## Judge the search by questions whose answers are known. EVAL_SET=DIR takes another set; ARGS=-misses=NAME lists what went wrong.
	@go run ./test/eval -set=$(EVAL_SET) $(ARGS)

##@ Develop

.PHONY: build
build: ## Build the programs into bin/.
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: fmt
fmt: ## Format the Go code.
	$(DEV)/golangci-lint-kube-api-linter fmt

.PHONY: generate
generate: generate-api generate-crds generate-docs ## Generate all that is generated from api/.

# The output is removed first: a type that was renamed would leave its old files behind.
.PHONY: generate-api
generate-api: ## Generate deep copies and apply configurations.
	@rm -rf $(GENERATED_API)
	$(DEV)/controller-gen object applyconfiguration paths=./api/v1alpha1

.PHONY: generate-crds
generate-crds: ## Generate the CustomResourceDefinitions.
	@rm -rf $(GENERATED_CRDS)
	$(DEV)/controller-gen crd paths=./api/v1alpha1 output:crd:artifacts:config=$(GENERATED_CRDS)

.PHONY: generate-docs
generate-docs: ## Generate the API reference.
	@rm -rf $(GENERATED_DOCS) && mkdir -p $(GENERATED_DOCS)
	$(DEV)/crd-ref-docs --log-level=ERROR --source-path=api/v1alpha1 --config=hack/api-docs/config.yaml \
	  --templates-dir=hack/api-docs/templates \
	  --renderer=markdown --output-path=$(GENERATED_DOCS)/v1alpha1.md

.PHONY: tools
tools: ## Build the tools now, rather than when a target needs them.
	hack/tools.sh dev
	hack/tools.sh envtest

##@ Prove

.PHONY: lint
lint: ## Run golangci-lint with kube-api-linter.
	$(DEV)/golangci-lint-kube-api-linter run

.PHONY: vet
vet: ## Run go vet.
	go vet -tags=e2e ./...

.PHONY: test
test: ## Run all tests with the race detector, and install what they need. The last line has the totals.
	@hack/prerequisites.sh gcc chromium initdb strace node npm flite opusenc pocketsphinx_continuous
	@go build -o bin/testsummary ./hack/testsummary
	@$(WITH_CONTROL_PLANE) CGO_ENABLED=1 go test -race -count=1 -timeout=$(TEST_TIMEOUT) -json $(PKG) | bin/testsummary

.PHONY: chaos
chaos: ## Kill, stop and break everything around the webhook-server, and count. ARGS=-short takes two minutes, not ten.
	@hack/prerequisites.sh initdb
	@go build -o bin/chaos ./test/chaos
	@exec bin/chaos $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz whatever reads foreign bytes, FUZZ_RUNS (10000) inputs for each target, beginning with the committed corpus.
	@hack/fuzz.sh $(FUZZ_RUNS)

.PHONY: e2e
e2e: ## Run the images of the Dockerfile on a real kubelet on this machine. Needs root on Linux; ARGS are flags of the test.
	@hack/e2e/run.sh $(ARGS)

.PHONY: verify
verify: verify-api verify-crds verify-docs verify-modules ## Check that everything generated is up to date. Changes nothing.

.PHONY: verify-api
verify-api: ## Check deep copies and apply configurations.
	@hack/verify-generated.sh generate-api $(GENERATED_API)

.PHONY: verify-crds
verify-crds: ## Check the CustomResourceDefinitions.
	@hack/verify-generated.sh generate-crds $(GENERATED_CRDS)

.PHONY: verify-docs
verify-docs: ## Check the API reference.
	@hack/verify-generated.sh generate-docs $(GENERATED_DOCS)

.PHONY: verify-modules
verify-modules: ## Check that go.mod and go.sum are tidy, also those of the tools.
	@for m in . hack/tools/dev hack/tools/k8s; do (cd $$m && go mod tidy -diff) || { \
	  echo "verify: error: run 'go mod tidy' in $$m" >&2; exit 1; }; done

##@ Images

.PHONY: docker-build
docker-build: ## Build both images with docker, podman or buildah (CONTAINER_TOOL).
	@[ -n "$(CONTAINER_TOOL)" ] || { echo "docker-build: error: none of docker, podman and buildah is in the PATH" >&2; exit 1; }
	$(CONTAINER_TOOL) build --target manager -t $(IMG_MANAGER) .
	$(CONTAINER_TOOL) build --target webhook-server -t $(IMG_WEBHOOK_SERVER) .

##@ The cluster of the current kubeconfig

.PHONY: install
install: ## Install the CustomResourceDefinitions.
	$(KUBECTL) apply --server-side -k config/crd

.PHONY: uninstall
uninstall: ## Remove the CustomResourceDefinitions, and so every resource. Use undeploy where the manager runs.
	$(KUBECTL) delete --ignore-not-found -k config/crd

# The images are set in a kustomization of its own, so that a deploy leaves config/ untouched.
.PHONY: deploy
deploy: ## Install all of it with the images IMG_MANAGER and IMG_WEBHOOK_SERVER.
	@mkdir -p bin/deploy
	@printf '%s\n' 'resources: [../../config/default]' 'images:' \
	  '- {name: whatsapp-operator/manager, newName: "$(call image_name,$(IMG_MANAGER))", newTag: "$(call image_tag,$(IMG_MANAGER))"}' \
	  '- {name: whatsapp-operator/webhook-server, newName: "$(call image_name,$(IMG_WEBHOOK_SERVER))", newTag: "$(call image_tag,$(IMG_WEBHOOK_SERVER))"}' \
	  > bin/deploy/kustomization.yaml
	$(KUBECTL) apply --server-side -k bin/deploy

.PHONY: undeploy
undeploy: ## Delete all resources, wait until Meta's side is cleaned, then remove the rest.
	@KUBECTL=$(KUBECTL) hack/undeploy.sh

.PHONY: run
run: ## Run the manager on this machine. ARGS are its flags.
	@go build -o bin/manager ./cmd/manager
	@exec bin/manager $(ARGS)

# An image is NAME:TAG; the name may hold a registry with a port, so the tag is what follows the last colon.
image_tag = $(lastword $(subst :, ,$(1)))
image_name = $(patsubst %:$(call image_tag,$(1)),%,$(1))
