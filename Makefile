# Atelier. The two commands: `make demo` and `make test`. Each sets up what is missing and can be called again.
POCKET := experiments/pocket

.PHONY: help build demo photos-demo pocket-table pocket pocket-mini pocket-measure test test-sanitized test-slurm cuda format tidy clean setup-apt setup-fetch

PHASE := third_party/phase.sh
BUILD := build/release

help:
	@echo 'make build   set-up and build: leaves bin/atelier'
	@echo 'make demo    set-up, build, two concepts of the pocket world with every method, the table'
	@echo 'make photos-demo     four concepts of real photos on a toy model with random weights'
	@echo 'make pocket-table    twelve concepts, three seeds: hours on two cores, interrupt it as you like'
	@echo 'make pocket-measure  what the pocket world'"'"'s base model can do; make pocket: train it again; make pocket-mini: in minutes'
	@echo 'make test    set-up, build, every test (also those with sanitizers)'
	@echo 'make test-slurm  installs Debian'"'"'s Slurm, starts one of our own and runs studies on it'
	@echo 'make cuda    build with the GPU parts and fetch the NVIDIA libraries'
	@echo 'make format / tidy / clean'

setup-apt:
	@$(PHASE) apt third_party/setup.sh apt

setup-fetch: setup-apt
	@$(PHASE) fetch third_party/setup.sh fetch

$(BUILD)/build.ninja: | setup-fetch
	@$(PHASE) configure cmake --preset release

build: setup-fetch $(BUILD)/build.ninja
	@$(PHASE) build cmake --build $(BUILD) --target atelier_programs
	@mkdir -p bin && ln -sfn ../$(BUILD)/bin/atelier bin/atelier

demo: build
	@$(PHASE) demo bin/atelier run $(POCKET)/demo.yaml --store out/pocket/store
	@bin/atelier table pocket-demo --store out/pocket/store
	@bin/atelier table pocket-demo --losses --store out/pocket/store
	@$(PHASE) --report

photos-demo: build
	@$(PHASE) demo tests/demo.sh
	@$(PHASE) --report

pocket-table: build
	@bin/atelier run $(POCKET)/table.yaml --store out/pocket/store
	@bin/atelier table pocket-table --store out/pocket/store
	@bin/atelier table pocket-table --by-concept 'class word' --store out/pocket/store

pocket-measure: build
	@$(BUILD)/bin/pocket-world draw --split test --count 2000 --seed 1 --out out/pocket/data/test
	@bin/atelier base measure $(POCKET)/quality.yaml --data out/pocket/data --base $(POCKET)/base --pictures out/pocket/pictures

pocket: build
	@$(POCKET)/make.sh

pocket-mini: build
	@$(POCKET)/make.sh mini

test-sanitized: setup-apt
	@$(PHASE) configure-sanitized cmake --preset asan
	@$(PHASE) build-sanitized cmake --build build/asan
	@$(PHASE) test-sanitized ctest --test-dir build/asan -j2 --output-on-failure --no-tests=error

test: build test-sanitized
	@$(PHASE) slurm third_party/setup.sh slurm-if-alone
	@$(PHASE) build-tests cmake --build $(BUILD)
	@$(PHASE) test ctest --test-dir $(BUILD) -j5 --output-on-failure --no-tests=error --output-log build/ctest.log
	@$(PHASE) --report
	@sed -n '/tests passed/p; /tests failed/p; /Total Test time/p' build/ctest.log

test-slurm: build
	@$(PHASE) slurm third_party/setup.sh slurm
	@$(PHASE) build-tests cmake --build $(BUILD) --target test_slurm
	@$(PHASE) test-slurm ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -L slurm

cuda: setup-fetch
	@$(PHASE) fetch-cuda third_party/setup.sh cuda
	@$(PHASE) configure cmake --preset release -DATELIER_CUDA=ON
	@$(PHASE) build cmake --build $(BUILD) --target atelier_programs
	@mkdir -p bin && ln -sfn ../$(BUILD)/bin/atelier bin/atelier
	@$(PHASE) --report

format:
	@git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' | xargs clang-format -i

tidy: build
	@git ls-files 'framework/*.cpp' | xargs clang-tidy -p $(BUILD) --quiet

clean:
	rm -rf build bin
