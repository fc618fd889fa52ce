# Every entry point of the checkout. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := $(or $(LEANVIBE_OPS_VENV),.venv)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
PLAYBOOK := ansible-playbook -i inventories/sandbox

.PHONY: help
help: ## List the entry points
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Prepare .venv with the pinned requirements (every other target does it by itself)
	@scripts/bootstrap

.PHONY: demo
demo: setup ## Set everything up, bring the sandbox up, provision tenants on it, show what happened
	@scripts/demo

.PHONY: test
test: setup ## Set everything up, run every gate, with a seeded sample of the faults (what CI runs); faults and bench are apart
	@scripts/gates lint docs unit meta sanity integration molecule

.PHONY: lint docs unit meta sanity integration molecule faults bench
lint: setup ## ruff, mypy, yamllint, ansible-lint
	@scripts/gates lint
docs: setup ## Documentation of modules and roles is complete and its references resolve
	@scripts/gates docs
unit: setup ## Unit tests
	@scripts/gates unit
meta: setup ## Tests of the house itself: layout, completeness, packaging, gates that can go red
	@scripts/gates meta
sanity: setup ## ansible-test sanity on the built artifact
	@scripts/gates sanity
integration: setup ## Integration tests on a sandbox of their own, with a seeded sample of the faults
	@scripts/gates integration
molecule: setup ## Molecule scenarios on the tests' sandbox
	@scripts/gates molecule
faults: setup ## The whole fault and kill catalogues
	@scripts/gates faults
bench: setup ## Benchmarks: ours beside what a user would do otherwise, ratios in one run
	@scripts/gates bench

.PHONY: sandbox-up sandbox-down sandbox-status
sandbox-up: setup ## Bring the sandbox up (two regions of the platform on this machine), or repair it
	@$(PLAYBOOK) playbooks/sandbox_up.yml
sandbox-down: setup ## Stop the sandbox; with PURGE=true its data is removed, too
	@$(PLAYBOOK) playbooks/sandbox_down.yml $(if $(filter true,$(PURGE)),-e sandbox_purge=true)
sandbox-status: setup ## What runs, where, in which state
	@$(PLAYBOOK) playbooks/sandbox_status.yml

.PHONY: screenshot build requirements changelog
screenshot: setup ## Pictures of the last health report (reports/health/latest.html), light, dark and on a phone, into docs/images/
	@PYTHONPATH=collections python tests/integration/health/browser.py reports/health/latest.html docs/images
build: setup ## Build the collection's artifact into .cache/artifact/
	@scripts/artifact
requirements: setup ## Compile requirements/*.in into pinned and hashed requirements/*.txt
	@scripts/compile-requirements
changelog: setup ## Validate the changelog fragments
	@antsibull-changelog lint
