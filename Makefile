# The two commands that do all: `make book` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export NO_MKDOCS_2_WARNING := 1
export DISABLE_MKDOCS_2_WARNING := true
BIN := .venv/bin

.PHONY: help
help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: setup
setup: ## Install host packages and the Python environment
	@scripts/setup.sh

.PHONY: book
book: setup ## Build the book from a real cluster: site, image, lab, captures, site
	@if ls snippets/*/*.out >/dev/null 2>&1; then \
		echo "== 1 of 4: the site, from the committed captures"; $(BIN)/mkdocs build --strict --quiet; \
		echo "read it now: site/index.html"; \
	else echo "== 1 of 4: skipped, there are no captures yet"; fi
	@echo "== 2 of 4: the node image"; $(BIN)/lab build
	@echo "== 3 of 4: the lab, and new captures"; $(BIN)/lab up; $(BIN)/lab update
	@echo "== 4 of 4: the site, from the new captures"; $(BIN)/mkdocs build --strict --quiet
	@echo "the book is in site/index.html; end the lab with: $(BIN)/lab down"

.PHONY: site
site: setup ## Build the site from the committed captures, without a cluster
	@$(BIN)/mkdocs build --strict --quiet && echo "the site is in site/index.html"

.PHONY: serve
serve: setup ## Preview the site, rebuilt as you write
	@$(BIN)/mkdocs serve

.PHONY: lint
lint: setup ## Format, lint, types, spelling, shell
	@$(BIN)/ruff format --check --quiet . || { echo "repair it with: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/codespell --quiet-level 2 --skip '*.sum,*.mod,*.js,*.svg,*.config' README.md CONTRIBUTING.md docs lab scripts
	@command -v shellcheck >/dev/null || scripts/setup.sh shellcheck
	@shellcheck scripts/*.sh lab/provision/*.sh lab/worlds/*.sh lab/image/guest/usr/local/sbin/*
	@shellcheck lab/vagrant/*.sh lab/vagrant/*/usr/local/sbin/*

.PHONY: format
format: setup ## Put the Python files into the project's format
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

.PHONY: check
check: lint ## What is quick: needs no cluster, no browser, no built site
	@$(BIN)/pytest -q -n auto -m "not built and not slow" tests/unit tests/docs

.PHONY: test
test: check ## Everything: check, the site in a browser, the real cluster
	@command -v chromium >/dev/null || [ -n "$${CHROMIUM:-}" ] || scripts/setup.sh chromium
	@$(BIN)/pytest -q -n $$((2 * $$(nproc))) --dist loadfile -m slow tests/unit tests/docs # many only wait
	@$(BIN)/pytest -q -m built tests/docs
	@$(BIN)/pytest -q -n auto tests/site
	@$(MAKE) --no-print-directory test-vagrantfile
	@$(MAKE) --no-print-directory notebook
	@$(BIN)/pytest -q tests/cluster

.PHONY: test-vagrantfile
test-vagrantfile: ## What Vagrant reads in the Vagrantfile, and refuses; no machine starts
	@why="$$($(BIN)/python -m lab.vagrant.tool)"; \
	if [ -n "$$why" ]; then echo "tests/vagrant are left out: $$why"; else \
		command -v vagrant >/dev/null || scripts/setup.sh vagrant vagrant-libvirt; $(BIN)/pytest -q tests/vagrant; \
	fi

.PHONY: test-vagrant-boot
test-vagrant-boot: setup ## Three virtual machines from our box: up, looked at, halted, up, destroyed
	@scripts/setup.sh $$($(BIN)/lab doctor --carrier vagrant --packages)
	@timeout 1800 $(BIN)/lab box
	@timeout --signal=INT 600 $(BIN)/pytest -q -s -x tests/machines

.PHONY: test-vagrant
test-vagrant: setup ## The whole cluster on virtual machines, by lab and by Vagrant alone, compared with the book; writes docs/lab/vagrant-report.md
	@scripts/setup.sh $$($(BIN)/lab doctor --carrier vagrant --packages)
	@timeout 4800 $(BIN)/python -m lab.vagrant.report

.PHONY: test-vagrant-other
test-vagrant-other: setup ## The same by a plain `vagrant up` of Debian 13 boxes that are not ours; writes docs/lab/vagrant-other-report.md
	@scripts/setup.sh $$($(BIN)/lab doctor --carrier vagrant --packages)
	@timeout 4800 $(BIN)/python -m lab.vagrant.report --other

.PHONY: up
up: setup ## Start the lab
	@$(BIN)/lab up

.PHONY: notebook
notebook: setup ## Install JupyterLab, for `lab notebook`
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r notebook.lock

.PHONY: down
down: ## End the lab
	@$(BIN)/lab down

.PHONY: update
update: ## Run snippets on the lab and keep what they print; SNIPPET=chapter/name for one
	@$(BIN)/lab update $(SNIPPET)
	@$(BIN)/pytest -q tests/docs/test_docs_examples.py --update-examples

.PHONY: verify
verify: ## Run snippets on the lab and compare with what is kept
	@$(BIN)/lab verify $(SNIPPET)

.PHONY: mutate
mutate: ## Break the cluster on purpose, and see that verify says what is broken; repairs each time
	@$(BIN)/lab mutate $(MUTATION)

.PHONY: bench
bench: setup ## Measure the lab: start, memory, idle CPU, a step's cost
	@$(BIN)/python -m lab.bench

.PHONY: lock
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url \
	--no-emit-find-links --upgrade --quiet
lock: ## Renew requirements.lock and notebook.lock from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group site --group test $(LOCK) -o requirements.lock
	@$(BIN)/uv pip compile --group notebook --constraint requirements.lock $(LOCK) -o notebook.lock
