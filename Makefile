# Everything a newcomer needs: `make devnet` and `make test`. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Arguments of the devnet, such as ARGS=--exit or ARGS="--l2-port 19545".
ARGS ?=
# How often `make soak` kills the sequencer.
KILLS ?= 200
ENV := source scripts/env.sh
BIN := $${CARGO_TARGET_DIR:-target}/debug
RUN_WALLETS := scripts/browser.sh >/dev/null; scripts/npm-packages.sh tests/wallets; $(ENV); node tests/wallets/run.mjs

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## Fetch and verify everything that is not Rust (idempotent, offline once done)
	@scripts/setup.sh

.PHONY: contracts
contracts: setup ## Compile the Solidity contracts
	@$(ENV); cd contracts && forge build

.PHONY: build
build: contracts ## Build the programs: openledger and openlora
	@$(ENV); cargo build --workspace --bins

.PHONY: devnet
devnet: build ## Start the whole system, run the demo, keep serving; ARGS=--exit stops after the demo
	@$(ENV); exec $(BIN)/openledger devnet $(ARGS)

.PHONY: clean-devnet
clean-devnet: ## Forget the devnet: its chains, keys' funds, datanet, adapter and logs
	@scripts/clean-devnet.sh

.PHONY: test
test: contracts ## Run every test: contracts, no_std build, Rust, end to end, wallets
	@$(ENV); cd contracts && forge test
	@scripts/check-no-std.sh
	@$(ENV); cargo build --workspace --bins --tests
	@$(ENV); cargo test --workspace --no-fail-fast
	@$(RUN_WALLETS)

.PHONY: e2e
e2e: contracts ## Run only the end-to-end tests, through real processes
	@$(ENV); cargo build --workspace --bins --tests
	@$(ENV); cargo test --package openledger-e2e

.PHONY: soak
soak: contracts ## Kill a sequencer under load KILLS times (200), which `make test` does 20 times
	@$(ENV); cargo build --workspace --bins --tests
	@$(ENV); OPENLEDGER_CRASH_KILLS=$(KILLS) cargo test --workspace --test crash

.PHONY: wallets
wallets: build ## Run only the tests with MetaMask, a browser, viem, ethers, cast and forge
	@$(RUN_WALLETS)

.PHONY: bench
bench: build ## Measure the sequencer beside anvil and write docs/benchmarks.md (under 15 minutes; ARGS="--seconds 10")
	@$(ENV); exec $(BIN)/openledger bench suite --write docs/benchmarks.md $(ARGS)

.PHONY: no-std
no-std: ## Build the protocol and execution floors for a bare RISC-V machine
	@scripts/check-no-std.sh

.PHONY: lint
lint: contracts ## Check formatting, clippy without warnings, licences and sources
	@cargo fmt --all --check
	@$(ENV); cd contracts && forge fmt --check
	@$(ENV); cargo clippy --workspace --all-targets -- --deny warnings
	@$(ENV); cargo deny --log-level error check bans licenses sources

.PHONY: fmt
fmt: contracts ## Format all sources
	@cargo fmt --all
	@$(ENV); cd contracts && forge fmt
