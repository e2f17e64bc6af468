# The other platform (devices in memory, arm64 guests) on this machine, under the sanitizers; and
# the unit tests of hv/ compiled for AArch64, which qemu-aarch64 runs: char has no sign there, and
# much else differs.

MMIO_SRC := $(filter-out $(HV_ONLY_x86_64),$(wildcard hv/dev/*.c))
MMIO_OBJ := $(patsubst %.c,$(B)/test/dev/%.o,$(MMIO_SRC) $(DEV_LIB) tests/lib/cu.c)
UNIT_TESTS += $(B)/test/unit-mmio_virtio $(B)/test/unit-mmio_platform
UNIT_TESTS += $(B)/test/unit-arm_layout $(B)/test/unit-arm_vgic

$(B)/test/unit-mmio_%: $(B)/test/dev/tests/unit/mmio_%.o $(MMIO_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

FUZZERS += $(B)/test/fuzz-mmio_virtio
$(B)/test/fuzz-mmio_virtio: $(patsubst %.c,$(B)/fuzz/dev/%.o,tests/fuzz/mmio_virtio.c $(MMIO_SRC) \
		$(DEV_LIB))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -o $@

ARM_LAYOUT_SRC := hv/domain/layout.c hv/domain/text.c $(filter hv/domain/%,$(HV_ONLY_aarch64))
$(B)/test/unit-arm_layout: $(call domain_objs,test,tests/unit/arm_layout.c tests/lib/cu.c \
		tests/lib/fake_vm.c tests/lib/fake_io.c tests/lib/fake_env.c $(ARM_LAYOUT_SRC))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lfdt -lcunit -o $@

$(B)/test/arm/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(DEV_INC) -Iarch/aarch64/include -c $< -o $@

$(B)/test/unit-arm_vgic: $(patsubst %.c,$(B)/test/arm/%.o,tests/unit/arm_vgic.c tests/lib/cu.c \
		arch/aarch64/virt/vgic_mmio.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

# Memory maps of x86's boot loaders, and the lists that both architectures make of them.
UNIT_TESTS += $(B)/test/unit-x86_mbi
$(B)/test/unit-x86_mbi: $(call core_objs,test,tests/unit/x86_mbi.c tests/lib/cu.c \
		arch/x86_64/boot/mbi.c arch/common/ranges.c hv/core/string.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

# The EFI stub is plain code, called by a firmware that a test plays.
UNIT_TESTS += $(B)/test/unit-arm_efi
$(B)/test/efi/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) -Ihv/include -Itests/lib/efi -Itests/lib -c $< -o $@

$(B)/test/unit-arm_efi: $(patsubst %.c,$(B)/test/efi/%.o,tests/unit/arm_efi.c tests/lib/cu.c \
		arch/aarch64/boot/efi.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

# For AArch64. There is no sanitizer's library for it: undefined behaviour traps.
A64_TEST_CC := $(A64_CC) -std=gnu11 -O1 -g $(WARN) -D_GNU_SOURCE -MMD -MP -Iinclude \
	-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu \
	-fsanitize=undefined -fsanitize-undefined-trap-on-error
A64_TEST_LIBS := $(CACHE)/arm64/libcunit.a $(A64_FDT)
A64_MMIO := mmio_virtio mmio_platform
A64_UNIT := $(CORE_UNIT) $(DEV_UNIT) $(A64_MMIO) $(DOMAIN_UNIT) arm_layout arm_vgic
UNIT_TESTS += $(A64_UNIT:%=$(B)/test/unit-a64_%)
a64_objs = $(patsubst %.c,$(B)/test-a64/$(1)/%.o,$(2))

$(eval $(call core_compile,test-a64,$(A64_TEST_CC) -Wno-clobbered,aarch64-linux-gnu-))

$(B)/test-a64/plain/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_TEST_CC) $(DEV_INC) -Iarch/aarch64/include -c $< -o $@

# The program, and a script of the test's name that runs it.
define a64_link
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(A64_TEST_CC) -static $(filter-out $(CORE_DROP),$(filter %.o,$^)) $(1) \
		$(A64_TEST_LIBS) $(A64_TEST_MORE) -o $@.elf
	$(Q)printf '#!/bin/sh\nexec qemu-aarch64 %s.elf "$$@"\n' $@ > $@ && chmod +x $@
endef

$(CORE_UNIT:%=$(B)/test/unit-a64_%): $(B)/test/unit-a64_%: $(B)/test-a64/core/tests/unit/%.o \
		$(call core_objs,test-a64,tests/lib/cu.c $(CORE_LIB) $(CORE_SRC)) | $(A64_TEST_LIBS)
	$(call a64_link,$(filter-out -lcrypto,$(CORE_LINK)))

$(B)/test/unit-a64_core_panic: CORE_DROP := %/arch/fake/panic.o

$(DEV_UNIT:%=$(B)/test/unit-a64_%): $(B)/test/unit-a64_%: $(B)/test-a64/plain/tests/unit/%.o \
		$(call a64_objs,plain,$(DEV_SRC) $(DEV_LIB) tests/lib/dev_driver.c tests/lib/cu.c) \
		| $(A64_TEST_LIBS)
	$(call a64_link)

$(A64_MMIO:%=$(B)/test/unit-a64_%): $(B)/test/unit-a64_%: $(B)/test-a64/plain/tests/unit/%.o \
		$(call a64_objs,plain,$(MMIO_SRC) $(DEV_LIB) tests/lib/cu.c) | $(A64_TEST_LIBS)
	$(call a64_link)

# Layouts for x86 are tested here, too: they are computed, and the shims in them are data.
$(B)/test-a64/domain/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_TEST_CC) $(DOMAIN_INC) -c $< -o $@

$(B)/test-a64/domain/snp_shim.o: $(B)/test/domain/snp_shim.o
	@mkdir -p $(@D)
	$(Q)ld -e 0 -o $@.elf $<
	$(Q)objcopy -O binary -j .rodata $@.elf $@.bin
	$(Q)printf '%s\n' '.section .rodata' '.globl snp_shim_start, snp_shim_end' \
		'snp_shim_start: .incbin "$@.bin"' 'snp_shim_end:' | \
		$(A64_CC) -c -x assembler -o $@ -

$(B)/test-a64/domain/tdx_image.o: arch/x86_64/shim/tdx_image.S $(B)/image/tdx_shim.bin
	@mkdir -p $(@D)
	$(Q)$(A64_CC) -Wa,-I$(B)/image -c -o $@ $<

$(DOMAIN_UNIT:%=$(B)/test/unit-a64_%): $(B)/test/unit-a64_%: \
		$(B)/test-a64/domain/tests/unit/%.o \
		$(call a64_objs,domain,tests/lib/cu.c $(DOMAIN_LIB) $(DOMAIN_PURE)) \
		$(B)/test-a64/domain/snp_shim.o $(B)/test-a64/domain/tdx_image.o | $(A64_TEST_LIBS)
	$(call a64_link)

$(CORE_TPM:%=$(B)/test/unit-a64_%): $(B)/test-a64/core/tests/lib/tpm_model.o
$(B)/test/unit-a64_domain_config $(CORE_TPM:%=$(B)/test/unit-a64_%): A64_TEST_MORE = \
	-L$(CACHE)/arm64 -lcrypto -Wl,--no-warnings \
	$(shell sed -n 's/^Libs.private: *//p' $(CACHE)/arm64/libcrypto.pc)

$(B)/test/unit-a64_domain_builder: \
		$(call a64_objs,domain,hv/domain/load.c hv/domain/builder.c hv/core/layout_write.c)

$(B)/test/unit-a64_arm_layout: $(call a64_objs,domain,tests/unit/arm_layout.c $(ARM_LAYOUT_SRC) \
		$(DEV_LIB) tests/lib/cu.c) | $(A64_TEST_LIBS)
	$(call a64_link)

$(B)/test/unit-a64_arm_vgic: $(call a64_objs,plain,tests/unit/arm_vgic.c tests/lib/cu.c \
		arch/aarch64/virt/vgic_mmio.c) | $(A64_TEST_LIBS)
	$(call a64_link)

# Micro-guests for AArch64, as Images; tests/boot/arm_test.py runs them.
A64_GUESTS := $(patsubst tests/guest/arm64/%.c,$(B)/guest/arm64-%.bin, \
	$(filter-out %/lib.c,$(wildcard tests/guest/arm64/*.c)))
A64_GUEST_OBJ := $(B)/guest/obj-arm64
check: $(A64_GUESTS)

$(A64_GUEST_OBJ)/%.o: tests/guest/arm64/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) -std=gnu11 -O2 -g $(WARN) -ffreestanding -fno-pic -fno-stack-protector \
		-mgeneral-regs-only -mstrict-align -ffixed-x17 -ffixed-x18 -fno-common \
		-fno-asynchronous-unwind-tables -Ihv/include -MMD -MP -c -o $@ $<

$(A64_GUEST_OBJ)/start.o: tests/guest/arm64/start.S
	@mkdir -p $(@D)
	$(Q)$(A64_CC) -MMD -MP -c -o $@ $<

$(B)/guest/arm64-%.bin: $(A64_GUEST_OBJ)/start.o $(A64_GUEST_OBJ)/%.o $(A64_GUEST_OBJ)/lib.o \
		tests/guest/arm64/link.ld
	$(call say,LINK,$@)
	$(Q)$(A64_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-Wl,-T,tests/guest/arm64/link.ld -o $(@:.bin=.elf) $(filter %.o,$^)
	$(Q)aarch64-linux-gnu-objcopy -O binary $(@:.bin=.elf) $@

# The guest ABI's tests, the same sources as for x86: tests/guest/arm64/abi.
A64_ABI := table buf event peer hostile
A64_ABI_OBJ := $(B)/guest/obj-arm64/abi
A64_ABI_FLAGS = -std=gnu11 -O2 -g $(WARN) -ffreestanding -nostdinc \
	-isystem $(shell $(A64_CC) -print-file-name=include) -fno-pic -fno-stack-protector \
	-mgeneral-regs-only -mstrict-align -mno-outline-atomics -fno-common -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -Itests/guest/arm64/abi -Itests/guest/frame -Iinclude \
	-Ihv/include -Iarch/include -Iarch/aarch64/include -MMD -MP
A64_ABI_LIB := $(patsubst %,$(A64_ABI_OBJ)/%.o,$(wildcard tests/guest/arm64/abi/*.c) \
	tests/guest/arm64/abi/start.S tests/guest/frame/frame.c hv/core/printf.c hv/core/string.c \
	include/abi/guest.c)
A64_ABI_GUESTS := $(A64_ABI:%=$(B)/guest/arm64-abi_%.bin) $(B)/guest/arm64-abi_entry.bin
check: $(A64_ABI_GUESTS)

$(A64_ABI_OBJ)/%.c.o: %.c tests/platforms.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) $(A64_ABI_FLAGS) -c -o $@ $<

$(A64_ABI_OBJ)/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(A64_CC) -MMD -MP -c -o $@ $<

$(B)/guest/arm64-abi_entry.bin: $(A64_ABI_OBJ)/tests/guest/entry/arm64.c.o
$(A64_ABI:%=$(B)/guest/arm64-abi_%.bin): $(B)/guest/arm64-abi_%.bin: \
	$(A64_ABI_OBJ)/tests/guest/abi_%.c.o
$(A64_ABI_GUESTS): $(A64_ABI_LIB) tests/guest/arm64/abi/link.ld
	$(call say,LINK,$@)
	$(Q)$(A64_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-Wl,-T,tests/guest/arm64/abi/link.ld -o $(@:.bin=.elf) $(filter %.o,$^)
	$(Q)aarch64-linux-gnu-objcopy -O binary $(@:.bin=.elf) $@
