# Cloister. `make run` boots a guest, `make check` runs every test; both set the machine up first.
#
# Each folder adds its part in a build.mk: it appends to the lists below and gives rules for
# what it alone knows. Output goes to build/ and nowhere else.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# Of the hypervisor, the programs, and what a release says of itself (tools/check/sbom reads it here).
VERSION := 0.1

B := build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2);)

CC := gcc
AR := ar

# Hosted code (attestation, tools, tests): one set of warnings for everything.
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wimplicit-fallthrough -Wundef -Wpointer-arith -Wwrite-strings -Wformat=2
HOST_CFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 \
	-fstack-protector-strong -MMD -MP -Iinclude
SAN_CFLAGS := -std=gnu11 -O1 -g $(WARN) -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Filled by the build.mk files.
BINS :=      # programs in build/bin
UNIT_TESTS := # build/test/unit-*: exit 0 and end with "N passed, N failed, N skipped"
FUZZERS :=   # build/test/fuzz-*: libFuzzer programs
IMAGES :=    # bootable images

.PHONY: all
all: everything

include $(wildcard attestation/build.mk cc/build.mk tools/build.mk hv/build.mk tests/build.mk)

.PHONY: everything
everything: $(BINS) $(IMAGES)

.PHONY: clean
clean:
	rm -rf $(filter-out $(B)/cache,$(wildcard $(B)/*))

-include $(shell find $(B) -name '*.d' 2>/dev/null)
