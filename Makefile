# make run    sets up, builds, starts the service, sends it examples/hello.js, verifies the receipt, keeps serving (ONCE=1: stops)
# make test   sets up, builds in both bounds modes, runs every test    (SANITIZE=1 make test: with the sanitizers)
# make bench  measures    make fuzz  fuzzes    make lint  clang-tidy    make format  clang-format    make install
BUILD := $(if $(SANITIZE),build-asan,build)
EXPLICIT := $(BUILD)-explicit
CMAKE_FLAGS := -G Ninja -DSANITIZE=$(if $(SANITIZE),ON,OFF)
PREFIX ?= /usr/local
# What the way of bounding memory could change, and the thread profile; the rest is the same program twice.
BOUNDED := ^(thread-|service-|(engine|dispatch|conversation|channel_number|inspect|examples|cli|language|hostile|meter|roles|thread)$$|keeper)
SOURCES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
Q := @

.PHONY: all run test bench fuzz lint format format-check install clean setup $(BUILD) $(EXPLICIT) builds

all: setup $(BUILD)

setup:
	$(Q)tools/setup

$(BUILD): setup
	$(Q)cmake -S . -B $@ $(CMAKE_FLAGS) >/dev/null
	$(Q)cmake --build $@ $(if $(filter-out 0,$(MAKELEVEL)),-j2) | grep -vE '^\[|^ninja:' || true
	$(Q)cmake --build $@ >/dev/null

$(EXPLICIT): setup
	$(Q)cmake -S . -B $@ $(CMAKE_FLAGS) -DENGINE_BOUNDS=explicit >/dev/null
	$(Q)cmake --build $@ | grep -vE '^\[|^ninja:' || true
	$(Q)cmake --build $@ >/dev/null

run: all
	$(Q)exec tools/run-service $(BUILD)/neocompute $(ONCE)

# Both builds at once: each is mostly one long compilation of generated C.
builds: setup
	$(Q)echo "building $(BUILD) and $(EXPLICIT)"
	$(Q)$(MAKE) --no-print-directory -j2 $(BUILD) $(EXPLICIT)

test: builds format-check
	$(Q)tools/lint $(BUILD) $(EXPLICIT)
	$(Q)ctest --test-dir $(EXPLICIT) --output-on-failure -j2 --no-tests=error -R '$(BOUNDED)'
	$(Q)ctest --test-dir $(BUILD) --output-on-failure -j2 --no-tests=error

bench: all
	$(Q)node bench/run.mjs $(BUILD)/neocompute
	$(Q)node bench/service.mjs $(BUILD)/neocompute

fuzz: setup
	$(Q)tools/fuzz

lint: builds
	$(Q)tools/lint $(BUILD) $(EXPLICIT)

format:
	$(Q)clang-format -i $(SOURCES)

format-check: setup
	$(Q)clang-format --dry-run --Werror $(SOURCES)

install: all
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	$(Q)install $(BUILD)/neocompute $(BUILD)/neocompute-client $(BUILD)/neocompute-egress $(BUILD)/neocompute-marble $(BUILD)/neocompute-worker $(DESTDIR)$(PREFIX)/bin
	$(Q)install -m 644 $(BUILD)/neocompute.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	$(Q)rm -rf build build-explicit build-asan build-asan-explicit
