# Set-up, the cloister program, the guest agent and its ramdisk, boot media.

CACHE := $(B)/cache
QEMU_BIN := $(CACHE)/qemu-system-x86_64
QEMU_AARCH64 := $(CACHE)/qemu-system-aarch64
GUEST_KERNELS := $(CACHE)/kernel-6.12/vmlinuz $(CACHE)/kernel-6.1/vmlinuz
# One more, with a ramdisk of its own: an encrypted guest's ramdisk is measured, byte by byte.
NEW_KERNEL := 6.18
GUEST_KERNELS_ARM64 := $(patsubst %,$(CACHE)/kernel-%/vmlinuz,6.18-arm64 6.12-arm64 6.1-arm64 \
	6.12-arm64-16k)

# The packages come first of all: this empty file is included, so make runs its rule before
# anything else and starts over.
ifneq ($(MAKECMDGOALS),clean)
include $(CACHE)/packages.stamp
endif
$(CACHE)/packages.stamp: tools/setup/packages tools/setup/packages.list
	@tools/setup/packages $@

$(QEMU_BIN): | $(CACHE)/packages.stamp
	@tools/setup/qemu $(CACHE)

$(QEMU_AARCH64): | $(CACHE)/packages.stamp
	@tools/setup/qemu $(CACHE) aarch64

$(CACHE)/kernel-%-arm64/vmlinuz: | $(CACHE)/packages.stamp
	@tools/setup/kernel $(CACHE) $* arm64

$(CACHE)/kernel-%-arm64-16k/vmlinuz: | $(CACHE)/packages.stamp
	@tools/setup/kernel $(CACHE) $* arm64-16k

# These files come together: one recipe makes them.
$(addprefix $(CACHE)/arm64/,busybox libfdt.a libcunit.a libbearssl.a libcrypto.a \
		grub/modinfo.sh) &: | $(CACHE)/packages.stamp
	@tools/setup/arm64 $(CACHE)

$(CACHE)/kernel-%/vmlinuz: | $(CACHE)/packages.stamp
	@tools/setup/kernel $(CACHE) $*

.PHONY: setup
setup: $(QEMU_BIN) $(QEMU_AARCH64) $(GUEST_KERNELS) $(CACHE)/kernel-$(NEW_KERNEL)/vmlinuz \
		$(GUEST_KERNELS_ARM64)

# What a program says to --version.
VERSIONED := $(B)/tools/tools/cloister/main.o $(B)/obj-arm64/tools/cloister/main.o \
	$(B)/attestd/tools/attestd/main.o
$(VERSIONED): Makefile
$(VERSIONED): HOST_CFLAGS += -DCLOISTER_VERSION='"$(VERSION)"'

include tools/agent/build.mk
include tools/cloister/build.mk
include tools/iso/build.mk

# An encrypted guest, attested. `make run ARGS="--vcpus 4"`: see build/bin/cloister run --help.
ARGS := --cc sev-snp --vcpus 2
.PHONY: run
run: everything setup guest
	$(Q)$(CLOISTER) run $(ARGS)
include tools/attestd/build.mk

# An image to give away: silicon only, the same bytes wherever it is built, and what it is made of.
SBOM := tools/check/sbom $(B)/cloister.bin $(B)/image/cloister1.elf
SBOM_OBJECTS = $(IMG_COMMON) $(REAL_OBJ)
.PHONY: release
release: $(B)/cloister.bin
	$(Q)tools/check/silicon
	$(Q)tools/check/symbols $(B)/image/cloister1.elf
	$(Q)tools/check/release $(B)/cloister.bin $(B)/image/cloister1.elf --build-again
	$(Q)mkdir -p $(B)/release && cp $(B)/cloister.bin $(B)/release/cloister.bin
	$(Q)$(SBOM) $(B)/release/cloister.spdx.json $(SBOM_OBJECTS)
	$(Q)cd $(B)/release && sha256sum cloister.bin cloister.spdx.json > SHA256SUMS
	$(call say,RELEASE,$(B)/release)
