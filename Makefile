# What people and CI run here. `make` lists it.

# Here rustup puts cargo. An older cargo of the system, or a shell that was open before, must not matter.
export PATH := $(HOME)/.cargo/bin:$(PATH)
# The make of macOS starts simple commands itself, past the PATH above, unless the shell is not its own.
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup dev test check bench mutants model simulate fuzz images

# Arguments for `make dev`, `make test` and `make bench`, such as ARGS="--http-addr 127.0.0.1:9000".
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
	cargo fmt --all --check
	cargo clippy --workspace --all-features --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features --document-private-items
	cargo check --no-default-features

bench: setup ## Measure against physical limits; ARGS="--quick" for minutes, ARGS="--help" for more
	@cargo bench --features cli,client --bench speed -- $(ARGS)

mutants: ## Break the code on purpose, and see a test turn red for each
	@scripts/mutants.sh

model: ## Explore the models at length: 10^8 states and more, ARGS="--states N" for each configuration
	cargo run --release --package oncely-proof -- model $(ARGS)

simulate: ## Simulate under faults until Ctrl-C, or ARGS="--requests 100000000 --seed 1"
	cargo run --release --package oncely-proof -- simulate $(ARGS)

# Everything that reads what others have written. PROPTEST_CASES says how many inputs each rule gets.
PARSERS := domain::key domain::canonical_json hot::codec client::retry_after client::tests::problems
fuzz: ## Feed the parsers at length: keys, JSON, hot envelopes, Retry-After, problems
	PROPTEST_CASES=$${PROPTEST_CASES:-200000} cargo test --all-features --lib -- $(PARSERS)

images: ## Provide redis:7 and postgres:15 to Docker, built from Debian packages if need be
	@scripts/images.sh
