# What people and CI run here. `make` lists it.

# Here rustup puts cargo. An older cargo of the system, or a shell that was open before, must not matter.
export PATH := $(HOME)/.cargo/bin:$(PATH)
# The make of macOS starts simple commands itself, past the PATH above, unless the shell is not its own.
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup dev test check mutants images

# Arguments for `make dev` and `make test`, such as ARGS="--http-addr 127.0.0.1:9000".
ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what is missing: a compiler, Rust, redis-server, Postgres, Prometheus
	@scripts/setup.sh

dev: setup ## Run everything with a private Redis and Postgres; Ctrl-C removes all of it
	@cargo run -- dev $(ARGS)

test: setup ## Run all tests, with Docker where an engine answers
	@scripts/test.sh $(ARGS)

check: ## Formatting, lints, documentation, and the build without features
	cargo fmt --check
	cargo clippy --all-features --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features --document-private-items
	cargo check --no-default-features

mutants: ## Break the code on purpose, and see a test turn red for each
	@scripts/mutants.sh

images: ## Provide redis:7 and postgres:15 to Docker, built from Debian packages if need be
	@scripts/images.sh
