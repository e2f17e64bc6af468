# `make check` and `make bench`. Folders and areas add their tests to the lists:
#   UNIT_TESTS, FUZZERS   programs in build/test (top Makefile)
#   CHECK_COMMANDS        one line each, quick, look at sources and images
#   TEST_COMMANDS         one line each, other tests that boot nothing
#   BOOT_TESTS            programs that boot QEMU; they run one at a time

export PYTHONDONTWRITEBYTECODE := 1

CHECKED_IMAGES = $(B)/image/cloister1.elf $(B)/image-aarch64/cloister1.elf $(B)/image/xen1.elf
define CHECK_COMMANDS
tools/check/depend
tools/check/format
tools/check/silicon
tools/check/symbols $(CHECKED_IMAGES)
tools/check/release $(B)/cloister.bin $(B)/image/cloister1.elf --build-again
$(SBOM) $(B)/test/cloister.spdx.json $(SBOM_OBJECTS)
tools/abi/abi check tests/abi/v1.0.json tests/abi/v1.1.json
endef

define TEST_COMMANDS
python3 tests/tools/checks.py
python3 tests/tools/run.py
python3 tests/tools/attest.py
python3 tests/tools/attestd.py
python3 tests/tools/bench.py
python3 tests/tools/bundle.py
python3 tests/tools/measure.py
python3 tests/tools/quotes.py
python3 tests/tools/abi.py
python3 tests/tools/setup.py
python3 tests/tools/usage.py
endef

BOOT_TESTS := $(wildcard tests/boot/*_test.py)

include $(filter-out tests/build.mk,$(wildcard tests/*.mk))

export FUZZ_SECONDS ?= 5

# `make check ONLY="unit boot/linux"` runs the jobs whose names contain one of the words.
ONLY :=
.PHONY: check
check: everything setup guest iso $(UNIT_TESTS) $(FUZZERS)
	@CHECKS="$$CHECK_LIST" TESTS="$$TEST_LIST" UNITS="$(UNIT_TESTS)" FUZZERS="$(FUZZERS)" \
		BOOTS="$(BOOT_TESTS)" tests/run $(ONLY)
check: export CHECK_LIST = $(CHECK_COMMANDS)
check: export TEST_LIST = $(TEST_COMMANDS)

.PHONY: bench
bench: everything setup guest $(B)/guest/bench.elf $(B)/guest/xenbench.elf \
		$(B)/guest/pvbench.elf $(B)/guest/arm64-calls.bin
	@tests/bench/run.py
