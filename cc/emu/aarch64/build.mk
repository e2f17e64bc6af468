# The firmware below the silicon line of CCA: build/cca-monitor.bin (EL3) and build/cca-rmm.bin
# (R-EL2), images of their own that QEMU starts. `cloister run --cc cca` names them.

CCA := $(B)/cca
CCA_CFLAGS = $(IMG_WARN) -Iarch/aarch64/include -march=armv8.2-a -mno-outline-atomics \
	-mgeneral-regs-only -mstrict-align -fno-stack-protector \
	-Icc/emu/bearssl -idirafter /usr/include
CCA_MONITOR_SRC := $(wildcard cc/emu/aarch64/monitor/*.c cc/emu/aarch64/monitor/*.S) \
	cc/emu/cca/cca_cose.c cc/emu/emu_crypto.c cc/emu/emu_libc.c hv/core/string.c
CCA_RMM_SRC := $(wildcard cc/emu/cca/*.c cc/emu/aarch64/rmm/*.c cc/emu/aarch64/rmm/*.S) \
	arch/aarch64/virt/fpu.S cc/emu/emu_crypto.c cc/emu/emu_libc.c hv/core/string.c
CCA_BEARSSL := $(CACHE)/arm64/libbearssl.a

IMAGES += $(B)/cca-monitor.bin $(B)/cca-rmm.bin

$(CCA)/%.c.o: %.c cc/emu/aarch64/build.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) $(CCA_CFLAGS) -c -o $@ $<

$(CCA)/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(A64_CC) -march=armv8.5-a -Iarch/aarch64/include -Wa,--noexecstack -MMD -MP -c -o $@ $<

cca_link = $(A64_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,$(1) -o $@ $(filter %.o,$^)

$(CCA)/monitor.elf: $(CCA_MONITOR_SRC:%=$(CCA)/%.o) \
		cc/emu/aarch64/monitor/monitor.ld $(A64_FDT) $(CCA_BEARSSL)
	$(call say,LD,$@)
	$(Q)$(call cca_link,cc/emu/aarch64/monitor/monitor.ld) $(A64_FDT) $(CCA_BEARSSL)

$(CCA)/rmm.elf: $(CCA_RMM_SRC:%=$(CCA)/%.o) cc/emu/aarch64/rmm/rmm.ld $(CCA_BEARSSL)
	$(call say,LD,$@)
	$(Q)$(call cca_link,cc/emu/aarch64/rmm/rmm.ld) $(CCA_BEARSSL)

$(B)/cca-%.bin: $(CCA)/%.elf
	$(call say,BIN,$@)
	$(Q)aarch64-linux-gnu-objcopy -O binary $< $@
