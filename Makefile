# Pronto: `make` prints this help. Every recipe works on a fresh Debian-like machine with Go and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0
GO    ?= go
TOOLS := $(GO) tool -modfile=.tools/go.mod
BIN   := bin
CMDS  := prontod recordd linelab prontoctl
FUZZTIME ?= 10s

.PHONY: help
help: ## this text
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build-host ## start the demo office: SIP on 127.0.0.1:5060, page on http://127.0.0.1:8080
	@exec $(BIN)/prontoctl office -bin $(BIN) -var var

.PHONY: crash
crash: ## kill prontod of the running demo office and watch it come back
	@$(BIN)/prontoctl crash -var var

.PHONY: deps
deps:
	@.ci/install-test-deps

.PHONY: test
test: deps ## run every test (installs SIPp, baresip, linphone, sox ... when root on Debian)
	$(GO) test -count=1 -timeout 20m ./...

.PHONY: short
short: ## unit tests only, no real programs
	$(GO) test -short ./...

# Pure arithmetic and formats without a goroutine of their own, which the detector would only make ten times slower: who
# uses them is judged.
ARITHMETIC := firmware/media/dsp|firmware/media/master|firmware/media/codec/opus|firmware/acd/forecast|images/card|images/zst|images/vfat|cmd/mkimage

.PHONY: race
race: ## tests under the race detector, and the offices of prontod with programs that have it too (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -count=1 -timeout 25m $$($(GO) list ./... | grep -vE '/pronto/($(ARITHMETIC))$$')

STIRRED ?= ./...
STIRS   ?= 3

.PHONY: stir
stir: ## unit tests STIRS times by a runtime that stirs the order of goroutines (STIRRED=./firmware/lamp STIRS=100)
	@.ci/stir $(STIRS) $(STIRRED)

.PHONY: test-32
test-32: ## unit tests as a 32-bit program
	GOARCH=386 $(GO) vet ./cmd/...
	GOARCH=386 $(GO) test -short -count=1 ./firmware/... ./drivers/... ./board/... ./images/... ./ota/...

.PHONY: test-guest
test-guest: deps ## our drivers on modems, pins and lights of a real kernel, judged by ModemManager too, in QEMU (about 4 minutes)
	$(GO) test -tags guest -count=1 -timeout 10m ./drivers/guest

.PHONY: check
check: ## gofumpt, vet, staticcheck, golangci-lint, govulncheck
	@out=$$($(TOOLS) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofumpt'ed:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags guest ./...
	$(GO) vet -tags recovery ./cmd/prontoinit
	$(TOOLS) staticcheck -tags guest ./...
	$(TOOLS) golangci-lint run ./...
	@.ci/vulncheck

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

# Whole measurements take one round, single steps half a second each. One package after the other: go
# test would compile the next one while the last one measures.
MEASURED := ./firmware/pbxtest/load ./firmware/media ./ui/uitest
STEPS    := ./firmware/sip/stack ./firmware/sip/dialog/... ./firmware/sip/registrar ./firmware/sip/digest ./firmware/acd/... \
            ./firmware/journal ./firmware/feed ./firmware/media/...

.PHONY: bench
bench: ## the numbers of the house, in about two minutes
	@echo "machine: $$(nproc) cores, $$(uname -sr), $$($(GO) version)"
	@for p in $(MEASURED); do $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 6m $$p || exit 1; done
	@for p in $$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(STEPS) | grep -v '/firmware/media$$'); do \
	  $(GO) test -run '^$$' -bench . -benchtime 0.5s -benchmem -timeout 6m $$p | grep -v '^ok\|^PASS\|no test files' ; test $${PIPESTATUS[0]} = 0 || exit 1; done

.PHONY: bench-lines
bench-lines: ## the figures of GSM and analog lines; fails below their bars (about six minutes)
	@echo "machine: $$(nproc) cores, $$(uname -sr), $$($(GO) version)"
	@$(GO) test -count=1 -timeout 10m -v -run 'Within40Seconds|OneHour|DayOfFaults' ./drivers/gsm | sed -n 's/^ .*figure: //p; /^ *--- FAIL/p; /^FAIL/p'; test $${PIPESTATUS[0]} = 0
	@$(GO) test -timeout 10m -run '^$$' -bench Line -benchtime 1x ./cmd/linelab/lab
	@$(GO) test -count=1 -timeout 20m -v -run 'FarEnd|Conversations|BeatTheTable|Figures' -bench 'Progress|Learn|Caller|Echo|Gain' -benchtime 0.5s ./firmware/media/dsp -bench-lines \
	  | sed -n 's/^ .*figure: //p; /^ *--- FAIL/p; /^FAIL/p; /^Benchmark.*ns/p'; test $${PIPESTATUS[0]} = 0

.PHONY: soak
soak: ## larger counts of the same tests, and an office under load for two hours with its slopes (about three hours)
	$(GO) test -count=1 -timeout 60m ./firmware/acd/plan -plan.events 3000000
	$(GO) test -count=1 -timeout 60m -run Promise ./firmware/acd/forecast -forecast.sets 4
	$(GO) test -count=1 -timeout 60m ./firmware/call -call.worlds 1000000
	$(GO) test -count=1 -timeout 60m -run HardlyEver ./firmware/media/dsp -dsp.talkoff 2h
	$(GO) test -count=1 -timeout 60m ./firmware/appliance/agreement -agreement.days 20000
	$(GO) test -count=20 -timeout 60m -run 'Kill9|PowerCut' ./firmware/journal
	$(GO) test -count=5 -timeout 60m ./drivers/gsm
	$(GO) test -count=10 -timeout 60m -run DayOfFaults ./drivers/gsm
	$(GO) test -count=1 -timeout 60m -run MinutesOfFaults ./drivers/gsm -gsm.minutes 10
	$(GO) test -count=1 -timeout 60m -run 'OutliveCrashes|EveryPartyLearns' ./cmd/prontod -crash.rounds 200
	$(GO) test -count=1 -timeout 60m -run TestRace ./cmd/prontod -races.rounds 2000
	$(GO) test -count=1 -timeout 60m -run EarlierVersions ./cmd/prontod -versions.all
	$(GO) test -count=1 -timeout 150m -v -run UnderLoad ./cmd/prontod -soak.for 2h

.PHONY: screenshots
screenshots: deps ## every page in both languages and themes into bin/screenshots, and the pictures of the README anew
	@rm -rf $(BIN)/screenshots && mkdir -p $(BIN)/screenshots
	$(GO) test -count=1 -timeout 20m ./ui/uitest -run "ThePageInABrowser/pictures|EveryPageSuits" -pictures ../page/pictures -screens ../../$(BIN)/screenshots
	@echo "$$(ls $(BIN)/screenshots | wc -l) pictures in $(BIN)/screenshots"

.PHONY: fixtures
fixtures: ## keep an office of HEAD as VERSION=v1.2.3, which later versions must open, and whose programs must open theirs
	@test -n "$(VERSION)" || { echo "make fixtures VERSION=v1.2.3"; exit 1; }
	$(GO) test -count=1 -timeout 20m ./cmd/prontod -run 'TheOfficesOfAllVersions|EarlierVersions' -fixture $(VERSION)

.PHONY: readme
readme: deps ## do what README.md says, word by word, in a fresh Debian (root)
	@.ci/readme

.PHONY: build
build: ## arm64, armv7 and amd64 programs in bin/<arch>
	@for a in amd64 arm64 arm; do \
	  echo "build linux/$$a"; \
	  GOOS=linux GOARCH=$$a GOARM=7 $(GO) build -trimpath -ldflags '-s -w' -o $(BIN)/$$a/ ./cmd/... || exit 1; \
	done

.PHONY: image
image: deps ## an image for a card, in bin/image; with updates where VENDOR_ROOT (a file) and UPDATE_URL name a vendor
	@$(GO) run ./cmd/mkimage build -out $(BIN)/image $(RELEASE) $(UPDATES)

.PHONY: release
release: deps ## what a release has for the slots of boxes, in bin/release, for otavendor (VENDOR_ROOT, UPDATE_URL, VERSION=1.4.2)
	@test -n "$(VERSION)" || { echo "make release VERSION=1.4.2 VENDOR_ROOT=root.json UPDATE_URL=https://..."; exit 1; }
	@test -e cmd/prontod/testdata/versions/v$(VERSION)/commit || { echo "no office of $(VERSION) is kept, so no later version would be proved to read its data: make fixtures VERSION=v$(VERSION)"; exit 1; }
	@$(GO) run ./cmd/mkimage release -out $(BIN)/release $(RELEASE) -version "$(VERSION)" $(UPDATES)

# The vendor whose updates a box takes.
UPDATES = -vendor-root "$(VENDOR_ROOT)" -update-url "$(UPDATE_URL)"

.PHONY: test-image
test-image: deps ## build the image twice and start it in emulated machines (root; about 10 minutes)
	$(GO) test -count=1 -timeout 30m -v ./images/boottest -image.boot -skip 'Debian|Container|Packages|Release|Updater'

.PHONY: test-update
test-update: deps ## try releases in emulated machines behind a stand-in of the boot loader: good ones, bad ones, power cuts (root; about 10 minutes)
	$(GO) test -count=1 -timeout 30m -v ./images/boottest -update.boot -run 'Release|Updater'

# What packages are called, and when they were made: a release as its fixture is, and what comes between by the last one.
RELEASE = -version "$$(.ci/version)" -time "$$(git log -1 --format=%ct)"

.PHONY: deb
deb: ## packages for Debian (amd64, arm64) in bin/deb
	@$(GO) run ./cmd/mkimage deb -out $(BIN)/deb $(RELEASE) $(UPDATES)

.PHONY: oci
oci: ## an image for containers (amd64, arm64) in bin/oci
	@$(GO) run ./cmd/mkimage oci -out $(BIN)/oci/pronto.tar $(RELEASE)

.PHONY: test-packages
test-packages: deps ## install the packages in two Debians, update one, and run the container (root; about 12 minutes)
	$(GO) test -count=1 -timeout 30m -v ./images/boottest -deb.boot -run 'Debian|Container|Packages'

.PHONY: licences
licences: ## the licences of all libraries anew, for the page
	@$(GO) run ./cmd/mkimage licences

.PHONY: build-host
build-host:
	@mkdir -p $(BIN) && $(GO) build -o $(BIN)/ ./cmd/...

.PHONY: tidy
tidy: ## tidy modules and format
	$(GO) mod tidy
	$(TOOLS) gofumpt -w $$(git ls-files '*.go')

.PHONY: clean
clean: ## remove what was built and the demo's state
	rm -rf $(BIN) var
