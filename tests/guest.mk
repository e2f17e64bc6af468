# Micro-guests: tests/guest/NAME.c with the library makes build/guest/NAME.elf, a PVH kernel.

GUEST := $(B)/guest
GUEST_CFLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) -Iinclude -Ihv/include -Iarch/include \
	-Iarch/x86_64/include -Itests/guest/frame -Itests/guest/lib -Itests/guest/cc \
	-fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
	-fno-asynchronous-unwind-tables -fno-common -fno-stack-protector -fcf-protection=none \
	-fno-strict-aliasing -MMD -MP
GUEST_NAMES := $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c))
GUEST_LIB := $(patsubst %,$(GUEST)/obj/%.o,$(wildcard tests/guest/lib/*.c) \
	$(wildcard tests/guest/lib/*.S) tests/guest/frame/frame.c hv/core/printf.c hv/core/string.c)
GUEST_ELFS := $(GUEST_NAMES:%=$(GUEST)/%.elf)

$(GUEST)/obj/%.c.o: %.c tests/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUEST)/obj/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(CC) -Itools/unikernel -MMD -MP -c -o $@ $<

$(GUEST)/%.elf: $(GUEST)/obj/tests/guest/%.c.o $(GUEST_LIB) tests/guest/lib/link.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/lib/link.ld \
		-o $@ $(filter %.o,$^)

# Programs that have been there since a release are built with its header, which knows no more.
$(GUEST)/obj/tests/guest/abi_control.c.o: $(B)/abi/1.0/abi/abi.h
$(GUEST)/obj/tests/guest/abi_control.c.o: GUEST_CFLAGS := -I$(B)/abi/1.0 $(GUEST_CFLAGS)
$(GUEST)/obj/tests/guest/abi_create.c.o: $(B)/abi/1.1/abi/abi.h
$(GUEST)/obj/tests/guest/abi_create.c.o: GUEST_CFLAGS := -I$(B)/abi/1.1 $(GUEST_CFLAGS)

# The same as a bzImage, for confidential domains: tests/guest/cc.
BZ_NAMES := abi_table abi_buf abi_event abi_peer abi_hostile tdx_cpu snp_cpu
BZ_LIB := $(GUEST_LIB) $(patsubst %,$(GUEST)/obj/%.o,$(wildcard tests/guest/cc/*.c) \
	tests/guest/cc/start.S)
GUEST_BZS := $(BZ_NAMES:%=$(GUEST)/%.bz) $(GUEST)/entry.bz

$(GUEST)/entry.bz: $(GUEST)/obj/tests/guest/entry/bz.c.o
$(BZ_NAMES:%=$(GUEST)/%.bz): $(GUEST)/%.bz: $(GUEST)/obj/tests/guest/%.c.o
$(BZ_NAMES:%=$(GUEST)/%.bz) $(GUEST)/entry.bz: $(BZ_LIB) tests/guest/cc/link.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/cc/link.ld -o $@.elf $(filter %.o,$^)
	$(Q)objcopy -O binary $@.elf $@

# PV64 kernels, for the box: tests/guest/pv/NAME.c.
PV_NAMES := $(filter-out pv,$(patsubst tests/guest/pv/%.c,%,$(wildcard tests/guest/pv/*.c)))
PV_ELFS := $(PV_NAMES:%=$(GUEST)/%.elf)
PV_LIB := $(patsubst %,$(GUEST)/obj/%.o,tests/guest/pv/pv.c tests/guest/pv/head.S \
	hv/core/printf.c hv/core/string.c)
$(PV_ELFS): $(GUEST)/%.elf: $(GUEST)/obj/tests/guest/pv/%.c.o $(PV_LIB) tests/guest/pv/link.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/pv/link.ld \
		-o $@ $(filter %.o,$^)
GUEST_ELFS += $(PV_ELFS)

# The example of tools/unikernel: its own file, the guest library, and nothing of the frame.
UNIKERNEL_SRC := tools/unikernel/unikernel.c include/abi/guest.c tools/unikernel/plain.c
$(GUEST)/unikernel.elf: $(UNIKERNEL_SRC:%=$(GUEST)/obj/%.o) tools/unikernel/unikernel.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments \
		-Wl,-T,tools/unikernel/unikernel.ld -o $@ $(filter %.o,$^)
GUEST_ELFS += $(GUEST)/unikernel.elf

# The same in an SEV-SNP guest, with libbearssl's AES-GCM.
UNIKERNEL_SNP := $(patsubst %,$(GUEST)/obj/%.o,tools/unikernel/snp_start.S \
	tools/unikernel/unikernel.c include/abi/guest.c tools/unikernel/snp.c tools/unikernel/libc.c)
$(GUEST)/obj/tools/unikernel/snp.c.o: GUEST_CFLAGS += -Icc/emu/bearssl -idirafter \
	/usr/include/bearssl
$(GUEST)/obj/tools/unikernel/libc.c.o: GUEST_CFLAGS += -fno-tree-loop-distribute-patterns
$(GUEST)/unikernel.bz: $(UNIKERNEL_SNP) tools/unikernel/snp.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,--no-warn-rwx-segments -Wl,-T,tools/unikernel/snp.ld -o $@.elf \
		$(filter %.o,$^) -l:libbearssl.a
	$(Q)objcopy -O binary $@.elf $@
GUEST_BZS += $(GUEST)/unikernel.bz

BOOT_TESTS += tests/guest/run
check: $(GUEST_ELFS) $(GUEST_BZS)

.PHONY: guests check-guests bench-guests
guests: $(GUEST_ELFS) $(GUEST_BZS)

check-guests: $(GUEST_ELFS) $(GUEST_BZS) $(B)/cloister.bin $(B)/cloister-emulated.bin
	$(Q)tests/guest/run

# What exits cost, in instructions.
bench-guests: $(GUEST)/bench.elf $(B)/cloister.bin
	$(Q)tests/guest/run --bench
