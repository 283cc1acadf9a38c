# Two commands matter: `make run` shows the gateway at work, `make test` runs everything that CI runs. Both install what
# they miss, through the machine's own package manager or into tests/.tools; nothing else on the machine is changed.

# Where cargo builds; it may have been moved.
BINARY := $(abspath $(or $(CARGO_TARGET_DIR),target)/release/evergate)
TOOLS  := $(CURDIR)/tests/.tools
NEXT   := tests/next-app
SUITE  := tests/conformance
BENCH  := tests/bench
HITS   := tests/hits
FUZZ   := tests/fuzz

# Tools that the machine's packages are too old for, or that must come without their service, live here.
export PATH := $(TOOLS)/bin:$(TOOLS)/node_modules/.bin:$(PATH):/usr/sbin
export NEXT_TELEMETRY_DISABLED := 1

.DEFAULT_GOAL := help
# The steps of `test` are in order, and cargo uses every core by itself.
.NOTPARALLEL:
.PHONY: help run build build-pgo test test-rust test-bench instructions bless-instructions fuzz conformance bench bench-routes bench-rules bench-forget bench-memory lint setup-build setup-test setup-rust setup-profdata setup-node setup-promtool setup-next setup-conformance setup-browser setup-cxx setup-fuzz setup-bench setup-valgrind

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, then start the gateway on config.yaml in front of the demo handlers
	@$(BINARY) run --config config.yaml

build: setup-build ## build the release binary
	cargo build --locked --release -p evergate

# The compiler places and inlines code by what it saw the gateway do (the rustc book, profile-guided
# optimization): the visitors of the benchmark are what it sees. With a target of its own, what runs while building is not watched.
PGO      = $(abspath $(or $(CARGO_TARGET_DIR),target)/pgo)
HOST     = $(shell rustc -vV | sed -n 's/^host: //p')
TRAINING = hit-1k hit-64k hit-304 pass miss mixed storm upload download h2c tls tls-h2
TRAINED  = cargo build --locked --release -p evergate --target $(HOST) --target-dir

build-pgo: setup-build setup-bench setup-profdata ## build the release binary by a profile of its work, for less CPU, in ten minutes
	rm -rf "$(PGO)/seen" && mkdir -p "$(PGO)/seen"
	CARGO_ENCODED_RUSTFLAGS="-Cprofile-generate=$(PGO)/seen" $(TRAINED) "$(PGO)/train"
	EVERGATE_BIN="$(PGO)/train/$(HOST)/release/evergate" node $(BENCH)/run.mjs --servers evergate --rounds 1 --scenarios "$(TRAINING)" --output "$(PGO)/training"
	"$$(rustc --print target-libdir)/../bin/llvm-profdata" merge -o "$(PGO)/evergate.profdata" "$(PGO)/seen"
	CARGO_ENCODED_RUSTFLAGS="-Cprofile-use=$(PGO)/evergate.profdata" $(TRAINED) "$(PGO)"
	@echo "$(PGO)/$(HOST)/release/evergate"

test: setup-build setup-test lint build test-rust test-bench instructions fuzz conformance ## set up, lint, and run every test

test-rust: setup-test build
	@ulimit -n "$$(ulimit -H -n)" 2>/dev/null || true; \
	export EVERGATE_BIN="$(BINARY)" PROMTOOL="$$(command -v promtool)"; \
	echo "cargo test --workspace --locked"; \
	cargo test --workspace --locked

# As many inputs each time, from the same seeds and none that an earlier run found; much the same ones, but not exactly, because
# what guides the choice depends on addresses and hash maps too. FUZZ_RUNS=10000000 looks for longer. There is no sanitizer,
# because there is no unsafe code of ours to be watched; so a stable compiler will do.
FUZZ_RUNS   = 200000
FUZZ_FLAGS  = --fuzz-dir $(FUZZ) --sanitizer none
FUZZ_LIMITS = -seed=1 -runs=$(FUZZ_RUNS) -max_len=1024 -timeout=10 -rss_limit_mb=1024 -dict=$(FUZZ)/words.dict

fuzz: setup-fuzz ## invent input for what reads the fields of requests and responses
	@cargo metadata --locked --format-version 1 --manifest-path $(FUZZ)/Cargo.toml >/dev/null
	cargo-fuzz build $(FUZZ_FLAGS)
	@found="$$(mktemp -d)" && trap 'rm -r "$$found"' EXIT && failed="" && \
	for target in $$(cargo-fuzz list --fuzz-dir $(FUZZ)); do \
	  mkdir "$$found/$$target"; \
	  if cargo-fuzz run $(FUZZ_FLAGS) $$target "$$found/$$target" $(FUZZ)/seeds/$$target -- $(FUZZ_LIMITS) >"$$found/log" 2>&1; \
	  then echo "fuzz $$target: $$(grep -a '^Done ' "$$found/log")"; \
	  else failed="$$failed $$target"; \
	    grep -av -e '^#' -e '^INFO' -e '^─*$$' "$$found/log" >&2; \
	    echo "fuzz $$target: failed; the input is in $(FUZZ)/artifacts/$$target, named above. Run it again with" >&2; \
	    echo "  $(TOOLS)/bin/cargo-fuzz run $(FUZZ_FLAGS) $$target INPUT" >&2; \
	  fi; \
	done; \
	[ -z "$$failed" ] || { echo "fuzz: failed:$$failed" >&2; exit 1; }

conformance: build setup-conformance ## run the public HTTP cache test suite against the release binary
	@EVERGATE_BIN="$(BINARY)" node $(SUITE)/run.mjs
	@EVERGATE_BIN="$(BINARY)" node $(SUITE)/run.mjs --heuristic

# The arithmetic of `make bench` and `make instructions`, not the measuring; it takes a second.
test-bench: setup-node
	node --test $(BENCH)/*.test.mjs $(HITS)/*.test.mjs

# Everything but one small program is built for the gateway already, with the same settings.
COUNT_INSTRUCTIONS = cargo build --locked --release -p evergate-hits && EVERGATE_HITS="$(dir $(BINARY))evergate-hits" node $(HITS)/guard.mjs

instructions: build setup-node setup-valgrind ## count the instructions of a hit, and fail when they grew by more than 5 %
	@$(COUNT_INSTRUCTIONS)

bless-instructions: build setup-node setup-valgrind ## make today's instructions of a hit the baseline
	@$(COUNT_INSTRUCTIONS) --bless

# SCENARIOS="hit pass" and SERVERS="nginx evergate" choose; KEYS=1000000 is for zipf. KEEP=1 puts the results into the repository.
BENCH_FLAGS = $(if $(SCENARIOS),--scenarios "$(SCENARIOS)") $(if $(SERVERS),--servers "$(SERVERS)") $(if $(KEYS),--keys $(KEYS)) \
  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(KEEP),--output $(BENCH)/results)

bench: build setup-bench ## measure the gateway beside nginx and Varnish, in ten minutes
	@EVERGATE_BIN="$(BINARY)" node $(BENCH)/run.mjs $(BENCH_FLAGS)

bench-routes: setup-build ## measure what a look-up in the route table costs, with 10 to 10,000 routes
	cargo bench --locked -p evergate --bench routes

bench-rules: setup-build ## measure what judging by 0 to 1,000 rules costs, and what a hostile request may cost
	cargo bench --locked -p evergate --bench rules

bench-forget: setup-build ## measure what an invalidation, a sweep and a hit cost with 1,000,000 entries
	cargo bench --locked -p evergate-cache --bench forget

# KINDS="churn mixed" chooses; SECONDS=600 is ten minutes of each of these two.
bench-memory: setup-build ## measure what 1,000,000 responses take in memory, and memory under churn and mixed load
	SECONDS=$(or $(SECONDS),60) cargo bench --locked -p evergate-cache --bench memory -- $(KINDS)

lint: setup-build setup-cxx setup-rust ## formatting, clippy, documentation; warnings are errors
	cargo fmt --all --check
	cargo fmt --manifest-path $(FUZZ)/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --manifest-path $(FUZZ)/Cargo.toml --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

setup-build: ## install what the build needs: cmake
	@command -v cmake >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  install_packages cmake cmake cmake cmake; \
	  command -v cmake >/dev/null 2>&1 || fail "cmake is needed to build pingora and could not be installed; install it and run make again"; \
	}

setup-test: setup-rust setup-node setup-promtool setup-next setup-conformance setup-browser setup-fuzz setup-valgrind ## install what the tests need: rustfmt, clippy, Node.js, promtool, the Next.js app, the HTTP cache suite, Chromium, cargo-fuzz, valgrind

setup-rust:
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 \
	|| rustup component add rustfmt clippy \
	|| { echo "rustfmt and clippy are needed; install them beside cargo and run make again" >&2; exit 1; }

setup-profdata:
	@[ -x "$$(rustc --print target-libdir)/../bin/llvm-profdata" ] \
	|| rustup component add llvm-tools \
	|| { echo "llvm-profdata is needed to read profiles; install the llvm-tools of this compiler beside it and run make again" >&2; exit 1; }

# A distribution may have Node.js, but one that is too old for Next.js 16; then npm brings a newer one, for the tests only.
NODE_FITS = node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null

setup-node:
	@{ $(NODE_FITS) && command -v npm >/dev/null 2>&1; } || { \
	  $(SHELL_FUNCTIONS) \
	  command -v npm >/dev/null 2>&1 || install_packages "nodejs npm" "nodejs npm" "nodejs npm" node; \
	  $(NODE_FITS) || npm install --prefix "$(TOOLS)" --no-save --no-audit --no-fund node@20; \
	  hash -r; \
	  { $(NODE_FITS) && command -v npm >/dev/null 2>&1; } || fail "Node.js 20 or later with npm is needed for the tests and could not be installed; install it and run make again"; \
	}

# Debian's package would start a Prometheus server, so only promtool is taken out of it.
setup-promtool:
	@command -v promtool >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  if command -v apt-get >/dev/null 2>&1; then \
	    mkdir -p "$(TOOLS)/bin" "$(TOOLS)/prometheus" && cd "$(TOOLS)/prometheus" \
	    && { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; } \
	    && dpkg-deb --extract prometheus_*.deb . && mv usr/bin/promtool ../bin/ && cd .. && rm -r prometheus; \
	  else \
	    install_packages prometheus golang-github-prometheus prometheus prometheus; \
	  fi; \
	  command -v promtool >/dev/null 2>&1 || fail "promtool (part of Prometheus) is needed for the tests and could not be installed; install it and run make again"; \
	}

# The stamp is made last, so a build that was broken off is made again.
setup-next: setup-node
	@[ ! -d $(NEXT) ] || { cd $(NEXT) && { \
	  { [ -f .next/built ] && [ -d node_modules ] && [ -z "$$(find . \( -name node_modules -o -name .next \) -prune -o ! -name . -newer .next/built -print)" ]; } \
	  || { echo "building $(NEXT)" && npm ci --no-audit --no-fund && npx next build && touch .next/built; }; \
	}; }

setup-conformance: setup-node
	@cd $(SUITE) && { \
	  { [ node_modules/installed -nt package-lock.json ] && [ node_modules/installed -nt package.json ]; } \
	  || { echo "installing $(SUITE)" && npm ci --no-audit --no-fund && touch node_modules/installed; }; \
	}

# Under the names that tests/src/tools.rs looks for.
BROWSER = command -v chromium || command -v chromium-browser || command -v google-chrome

setup-browser: ## install what the tests of CORS need: a Chromium, which they run without a window
	@{ $(BROWSER); } >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  install_packages chromium chromium chromium chromium; \
	  hash -r; \
	  { $(BROWSER); } >/dev/null 2>&1 || fail "Chromium is needed for the tests of CORS and could not be installed; install it, or google-chrome, and run make again"; \
	}

setup-valgrind:
	@command -v valgrind >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  install_packages valgrind valgrind valgrind valgrind; \
	  command -v valgrind >/dev/null 2>&1 || fail "valgrind is needed to count instructions and could not be installed; install it and run make again"; \
	}

# libFuzzer is written in C++ and built with the targets.
setup-cxx:
	@command -v c++ >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  install_packages g++ gcc-c++ g++ gcc; \
	  command -v c++ >/dev/null 2>&1 || fail "a C++ compiler is needed to build libFuzzer and could not be installed; install it and run make again"; \
	}

CARGO_FUZZ := 0.13.2

setup-fuzz: setup-cxx
	@[ "$$($(TOOLS)/bin/cargo-fuzz --version 2>/dev/null)" = "cargo-fuzz $(CARGO_FUZZ)" ] \
	|| cargo install cargo-fuzz --version $(CARGO_FUZZ) --locked --root "$(TOOLS)" --force

# Debian's packages of nginx and Varnish would start them as services, so only the programs are taken out; the libraries they want
# have no service. Varnish compiles its configuration with a C compiler.
BENCH_PROGRAMS = command -v nginx && command -v varnishd && command -v wrk && command -v h2load && command -v taskset && command -v chrt && command -v openssl

setup-bench: setup-node ## install what `make bench` needs: nginx, Varnish, wrk, h2load
	@{ $(BENCH_PROGRAMS); } >/dev/null 2>&1 || { \
	  $(SHELL_FUNCTIONS) \
	  libraries="gcc libc6-dev libjemalloc2 libpcre2-8-0 libssl3 zlib1g"; \
	  install_packages "wrk nghttp2-client util-linux openssl $$libraries" "wrk nghttp2 util-linux openssl nginx varnish gcc" \
	    "wrk nghttp2 util-linux openssl nginx varnish gcc musl-dev" "wrk nghttp2 openssl nginx varnish"; \
	  if command -v apt-get >/dev/null 2>&1; then \
	    mkdir -p "$(TOOLS)/bin" "$(TOOLS)/servers" && cd "$(TOOLS)/servers" \
	    && apt-get download -q nginx varnish \
	    && for package in *.deb; do dpkg-deb --extract "$$package" .; done \
	    && mv usr/sbin/nginx usr/sbin/varnishd ../bin/ && cd .. && rm -r servers; \
	  fi; \
	  hash -r; \
	  { $(BENCH_PROGRAMS); } >/dev/null 2>&1 || fail "nginx, Varnish, wrk, h2load (nghttp2), taskset, chrt and openssl are needed to measure and could not be installed; install them and run make again"; \
	}

# install_packages APT DNF APK BREW: installs the packages that the machine's package manager knows under these names.
# Homebrew wants no root; the others need it.
SHELL_FUNCTIONS = \
	fail() { echo "$$*" >&2; exit 1; }; \
	as_root() { \
	  if [ "$$(id -u)" = 0 ]; then "$$@"; \
	  elif command -v sudo >/dev/null 2>&1; then sudo "$$@"; \
	  else echo "this needs root, and there is no sudo: $$*" >&2; return 1; fi; \
	}; \
	install_packages() { \
	  if command -v apt-get >/dev/null 2>&1; then as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$1; \
	  elif command -v dnf >/dev/null 2>&1; then as_root dnf install -y $$2; \
	  elif command -v apk >/dev/null 2>&1; then as_root apk add --no-cache $$3; \
	  elif command -v brew >/dev/null 2>&1; then brew install $$4; \
	  else echo "found none of apt-get, dnf, apk and brew to install with" >&2; return 1; fi; \
	};
