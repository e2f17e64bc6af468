# The image for AArch64, build/cloister-aarch64.bin: a Linux Image, by the cross compiler.

A64 := $(B)/image-aarch64
A64_CC := aarch64-linux-gnu-gcc
A64_FDT := $(CACHE)/arm64/libfdt.a
A64_CFLAGS := $(IMG_WARN) -Iarch/aarch64/include -march=armv8.2-a -mno-outline-atomics \
	-mgeneral-regs-only -mno-omit-leaf-frame-pointer -mbranch-protection=bti \
	-fstack-protector-strong \
	-mstack-protector-guard=sysreg -mstack-protector-guard-reg=tpidr_el2 \
	-mstack-protector-guard-offset=0x28
# Side by side in the image, in one page: QEMU walks the tables anew behind each call of firmware.
A64_CALLS := $(addprefix cc/cca/,cca_hw_aarch64.c cca_rmi.c cca_rmi_1_0.c)
A64_SRC := $(HV_COMMON_SRC) $(HV_ONLY_aarch64) cc/registry_aarch64.c \
	$(A64_CALLS) $(filter-out $(A64_CALLS),$(wildcard cc/cca/*.c)) \
	$(wildcard arch/common/*.c arch/aarch64/*/*.c arch/aarch64/*/*.S)
A64_OBJ := $(patsubst %,$(A64)/%.o,$(A64_SRC)) $(A64)/version.o
A64_LDS := arch/aarch64/link.ld
A64_LINK = $(A64_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,$(A64_LDS)
A64_NM := aarch64-linux-gnu-nm

IMAGES += $(B)/cloister-aarch64.bin

$(A64)/%.c.o: %.c arch/aarch64/build.mk hv/build.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) $(A64_CFLAGS) $(FDT_CFLAGS) -c -o $@ $<

$(A64)/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(A64_CC) -march=armv8.5-a -Iarch/aarch64/include -Wa,--noexecstack -MMD -MP -c -o $@ $<

$(A64)/version.c $(A64)/symbols0.c: $(A64)/%.c: $(IMG)/%.c
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(A64)/symbols-cloister.c: $(A64)/cloister0.elf hv/symbols.awk
	$(call say,SYMS,$@)
	$(Q)$(A64_NM) -n $< | awk -f hv/symbols.awk > $@

$(A64)/%.o: $(A64)/%.c
	$(Q)$(A64_CC) $(A64_CFLAGS) -c -o $@ $<

# The EFI stub runs on the firmware's stack, mappings and registers.
$(A64)/arch/aarch64/boot/efi.c.o: A64_CFLAGS += -fno-stack-protector -ffixed-x18

# libfdt's objects, Debian's own, use SIMD registers: they run at boot and while domains are made,
# when no vCPU's are loaded (arch_vm_init requires it).
$(A64)/cloister0.elf: $(A64_OBJ) $(A64)/symbols0.o $(A64_LDS) $(A64_FDT)
	$(call say,LD,$@)
	$(Q)$(A64_LINK) -o $@ $(filter %.o,$^) $(A64_FDT)
$(A64)/cloister1.elf: $(A64_OBJ) $(A64)/symbols-cloister.o $(A64_LDS) $(A64_FDT)
	$(call say,LD,$@)
	$(Q)$(A64_LINK) -o $@ $(filter %.o,$^) $(A64_FDT)

$(B)/cloister-aarch64.bin: $(A64)/cloister1.elf
	$(call say,BIN,$@)
	$(Q)aarch64-linux-gnu-objcopy -O binary $< $@
