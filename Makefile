# `make help` explains itself: a target's text is behind its `##`.
SWIFT ?= swift
BUILD = .build/debug
RELEASE = .build-release/release
# `make sim SEED=1 COUNT=300`
SEED ?= 1
COUNT ?= 300
SECONDS_EACH ?= 60
KILLS ?= 200
REQUESTS ?= 20000
TESTDATA ?= ../shared/testdata
export WASL_TESTDATA ?= $(abspath $(TESTDATA))

.PHONY: help setup build demo test lint check browser participant descriptions insider release sim torture faults fuzz clean

help: ## Shows this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Installs what is needed (once, as root; says what to run otherwise)
	@Deploy/setup.sh

build: ## Builds everything, tests included
	$(SWIFT) build --build-tests

demo: ## Runs the main job: a broker, 34 houses, agencies, the ledger, 200 orders, then reconciles them
	@Deploy/setup.sh
	$(SWIFT) build --product wasl
	$(BUILD)/wasl dev --data .build/demo --requests 200 --rate 20 --until-reconciled

# Tests of whole roads measure time-outs over real sockets: beside all the others they would measure the machine. Those that hold 1,500
# connections open go by themselves: Foundation's Process walks over every descriptor while others come and go.
test: ## Runs every test
	@Deploy/setup.sh
	$(SWIFT) test --skip RoadTests
	$(SWIFT) test --skip-build --filter RoadTests --skip ConnectionTests
	$(SWIFT) test --skip-build --filter ConnectionTests

lint: ## Checks the form of the code
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests

descriptions: ## Validates the published descriptions with a tool from outside
	@Deploy/validate.sh

participant: build ## Runs the participant of Docs/integrate/participant.md against a real broker, houses and ledger
	@Deploy/participant.sh $(BUILD)/wasl

insider: build ## Tries Docs/promise/threats.md from outside: a plain AMQP client with one house's password and key
	@Deploy/insider.sh $(BUILD)/wasl

browser: build ## Opens the pages in headless Chromium, in three languages
	@Deploy/browser.sh $(BUILD)/wasl

check: ## All that must be green: what continuous integration runs
	@Deploy/setup.sh --check
	$(MAKE) build
	$(MAKE) lint
	$(MAKE) descriptions
	$(MAKE) test
	$(BUILD)/wasl dev --data .build/check --requests 300 --rate 60 --until-reconciled --json
	$(BUILD)/wasl dev --data .build/check-tls --requests 100 --rate 40 --tls --until-reconciled --json
	$(MAKE) release
	$(RELEASE)/wasl simulate run --count 80
	$(RELEASE)/wasl simulate run --insiders --count 60
	$(RELEASE)/wasl simulate bugs
	$(RELEASE)/wasl simulate syscalls --every 12
	$(RELEASE)/wasl torture --data .build/torture --requests 900 --kills 30 --patience 120
	$(MAKE) participant
	$(MAKE) insider
	$(MAKE) browser

release: ## Builds the program as it is installed
	$(SWIFT) build -c release --scratch-path .build-release --static-swift-stdlib --product wasl
	$(SWIFT) build -c release --scratch-path .build-release --product waslfaults

sim: release ## Whole worlds from seeds, with everything going wrong: SEED=1 COUNT=300; then every planted bug
	$(RELEASE)/wasl simulate run --seed $(SEED) --count $(COUNT)
	$(RELEASE)/wasl simulate run --seed $(SEED) --count $(COUNT) --insiders
	$(RELEASE)/wasl simulate bugs

torture: release ## Kills and starves real processes: KILLS=200 REQUESTS=20000
	$(RELEASE)/wasl torture --data .build/torture --requests $(REQUESTS) --rate 60 --kills $(KILLS)

faults: release ## Fails every write and sync of each role's short run
	$(RELEASE)/wasl simulate syscalls

fuzz: ## The guided fuzzer on every parser: SECONDS_EACH=60
	WASL_FUZZER_RUNTIME=$$($(SWIFT)c -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/clang/lib/linux/libclang_rt.fuzzer_no_main-$$(uname -m).a; \
	export WASL_FUZZER_RUNTIME; test -f "$$WASL_FUZZER_RUNTIME" || { echo "not tried: this Swift has no libFuzzer ($$WASL_FUZZER_RUNTIME)"; exit 69; }; \
	$(SWIFT) build --scratch-path .build-fuzz --product wasl-fuzz && \
	for target in envelope signature sealed registry soap configuration order; do \
		mkdir -p .build-fuzz/corpus/$$target; \
		.build-fuzz/debug/wasl-fuzz $$target .build-fuzz/corpus/$$target Tests/FuzzCorpus/$$target -max_total_time=$(SECONDS_EACH) -max_len=8192 -artifact_prefix=.build-fuzz/$$target- -print_final_stats=1 || exit 1; \
	done

clean: ## Removes what was built and the data of demos
	rm -rf .build .build-release .wasl-dev
