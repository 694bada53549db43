# Every target installs what it needs; `make` alone lists them.
#
#   PORT, ADMIN_PORT   where `run` and `demo` listen on 127.0.0.1
#   ENVOY              an Envoy of your own; ENVOY_VERSION fetches a certain one

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PORT ?= 10000
ADMIN_PORT ?= 9901
POLICY ?=
WASM_TARGET := wasm32-wasip1
# Each byte is loaded by every proxy.
WASM_MAX_KB := 680
CARGO_DENY_VERSION := 0.20.2

CARGO_TARGET_DIR ?= target
target_dir := $(abspath $(CARGO_TARGET_DIR))
wasm := dist/canary_filter.wasm
ecds := dist/ecds/canary.json
canaryctl := $(target_dir)/release/canaryctl
# On a terminal cargo shows its progress; a log needs none.
quiet := $(shell [[ -t 2 ]] || echo --quiet)
say := printf '\033[1m==> %s\033[0m\n'

# Asked for when a recipe runs and not before: it may have to install one.
envoy = $$(scripts/get-envoy)

.PHONY: help
help: ## List the targets
	@echo "Canary Filter: sticky canary releases inside Envoy"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  PORT=$(PORT) ADMIN_PORT=$(ADMIN_PORT) say where run and demo listen,"
	@echo "  ENVOY=/path or ENVOY_VERSION=1.36.4 which Envoy they use."

# ---- see it work

.PHONY: run
run: build ## Start the demo on 127.0.0.1:10000 and keep it running; Ctrl-C ends it
	@envoy=$(envoy); exec $(canaryctl) demo --serve --port $(PORT) --admin-port $(ADMIN_PORT) --envoy "$$envoy"

.PHONY: demo
demo: build ## Start it, send users, print the split from Envoy's own stats, end
	@envoy=$(envoy); exec $(canaryctl) demo --port $(PORT) --admin-port $(ADMIN_PORT) --envoy "$$envoy"

.PHONY: drill
drill: build ## Let a canary fail and see the guardrail roll it back; POLICY= for one of yours
	@envoy=$(envoy); exec $(canaryctl) drill $(POLICY) --envoy "$$envoy"

.PHONY: apply
apply: $(canaryctl) ## Put a policy into the running demo: make apply POLICY=envoy/policies/basic.json
	@[[ -n "$(POLICY)" ]] || { echo "which one? make apply POLICY=envoy/policies/basic.json" >&2; exit 2; }
	@$(canaryctl) validate "$(POLICY)"
	@$(call render,$(POLICY))
	@echo "applied $(POLICY)"

# ---- build

.PHONY: build
build: $(canaryctl) wasm $(ecds) ## Build the filter into dist/ and canaryctl into target/release/

.PHONY: wasm
wasm: rust-target
	@$(say) "filter"
	@cargo build $(quiet) --locked --profile wasm --target $(WASM_TARGET) -p canary-filter
	@mkdir -p dist
# Renamed into place: an Envoy that is starting never reads half a module.
	@cp $(target_dir)/$(WASM_TARGET)/wasm/canary_filter.wasm $(wasm).new
	@mv $(wasm).new $(wasm)

# Cargo knows better than make whether it is up to date.
.PHONY: canaryctl
$(canaryctl): canaryctl ;
canaryctl:
	@$(say) "canaryctl"
	@cargo build $(quiet) --locked --release -p canaryctl

$(ecds): | $(canaryctl)
	@$(call render,envoy/policies/demo.json)

# Envoy sees only a rename into the directory. Not mktemp: its files are for their
# owner alone, and a container's Envoy is another user.
define render
mkdir -p $(dir $(ecds)) && \
$(canaryctl) render "$(1)" --to ecds > $(ecds).new && \
mv $(ecds).new $(ecds)
endef

.PHONY: rust-target
rust-target:
	@[[ -d "$$(rustc --print target-libdir --target $(WASM_TARGET))" ]] || \
	  { $(say) "installing the Rust target $(WASM_TARGET)"; \
	    command -v rustup >/dev/null || { echo "needs rustup: https://rustup.rs" >&2; exit 1; }; \
	    rustup target add $(WASM_TARGET); }

# ---- check

.PHONY: test
test: build ## Run every test, the ones against a real Envoy too
	@$(say) "tests"
	@envoy=$(envoy); mkdir -p .run; \
	export ENVOY="$$envoy" CANARY_WASM="$(abspath $(wasm))"; \
	status=0; cargo test --quiet --workspace --locked 2>&1 | tee .run/test.log | \
	  { grep --line-buffered -v -e '^$$' -e '^running 0 tests' -e '0 passed; 0 failed' || true; } || status=$$?; \
	skipped=$$(grep -oE '(SKIPPED|skipped:) [^ ]+: .*' .run/test.log | sort -u || true); \
	if [[ -n "$$skipped" ]]; then printf 'Skipped:\n%s\n' "$$skipped"; \
	elif (( status == 0 )); then echo "Skipped: nothing"; fi; \
	if grep -q 'SKIPPED ' .run/test.log && [[ "$${CI:-}" == true ]]; then \
	  echo "with CI=true nothing may be skipped for want of a tool" >&2; exit 1; fi; \
	exit $$status

.PHONY: bench
bench: build ## Measure what the filter costs, in isolation and in a real Envoy
	@$(say) "benches"
	@cargo build $(quiet) --locked --profile wasm --target $(WASM_TARGET) -p bench-empty -p bench-floor
	@cargo bench $(quiet) --locked --workspace
	@envoy=$(envoy); export ENVOY="$$envoy" CANARY_WASM="$(abspath $(wasm))"; \
	export BENCH_WASM_DIR="$(target_dir)/$(WASM_TARGET)/wasm"; \
	cargo bench $(quiet) --locked --bench cost

.PHONY: nightly
nightly: ## The guardrail's long simulations: a thousand runs of a million requests each, an hour
	@$(say) "simulations"
	@cargo test $(quiet) --locked --release -p canary-core --test guardrail -- --ignored --nocapture

.PHONY: fmt
fmt: rust-components ## Format the sources
	@cargo fmt --all

.PHONY: fmt-check
fmt-check: rust-components
	@$(say) "format"
	@cargo fmt --all --check

.PHONY: lint
lint: rust-target rust-components ## Run clippy, natively and for Wasm
	@$(say) "lints"
	@cargo clippy $(quiet) --locked --workspace --all-targets -- -D warnings
	@cargo clippy $(quiet) --locked --bench cost -- -D warnings
	@cargo clippy $(quiet) --locked --target $(WASM_TARGET) -p canary-filter -p canary-core \
	  -p bench-empty -p bench-floor -- -D warnings

.PHONY: rust-components
rust-components:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || \
	  { $(say) "installing rustfmt and clippy"; rustup component add rustfmt clippy; }

.PHONY: doc
doc:
	@$(say) "documentation"
	@RUSTDOCFLAGS=-Dwarnings cargo doc $(quiet) --locked --no-deps --workspace

.PHONY: deny
deny: ## Check the dependencies' licenses and sources
	@$(say) "dependencies"
	@deny=$$(command -v cargo-deny || echo .tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny); \
	if [[ ! -x "$$deny" ]]; then \
	  $(say) "installing cargo-deny $(CARGO_DENY_VERSION) into .tools/ (once, some minutes)"; \
	  CARGO_TARGET_DIR=$(target_dir)/cargo-deny cargo install $(quiet) --locked --debug \
	    --root .tools/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION); \
	  rm -rf $(target_dir)/cargo-deny; \
	fi; \
	"$$deny" --log-level error check bans licenses sources

.PHONY: size
size: wasm
	@$(say) "size"
	@bytes=$$(wc -c < $(wasm)); echo "$(wasm): $$((bytes / 1024)) KB of $(WASM_MAX_KB) KB"; \
	(( bytes <= $(WASM_MAX_KB) * 1024 )) || { echo "the filter has grown too large" >&2; exit 1; }

.PHONY: fuzz-check
fuzz-check:
	@$(say) "fuzz targets compile"
	@cargo check $(quiet) --locked --no-default-features --manifest-path fuzz/Cargo.toml

.PHONY: ci
ci: ## Everything that must hold before a merge
# One after the other: half of them want the whole machine.
	@for step in fmt-check lint test doc size fuzz-check deny demo drill; do $(MAKE) $$step; done
	@$(say) "all is well"

.PHONY: clean
clean: ## Remove what was built; what was installed into .tools/ stays
	@cargo clean --quiet
	@rm -rf dist .run
