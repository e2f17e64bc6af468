# The image: hv/, arch/x86_64, cc/. Linked twice: the second time with its own symbol table.

IMG := $(B)/image
IMG_ARCH := x86_64
# What every image is compiled with, whatever the CPU.
IMG_WARN := -std=gnu11 -O2 -g $(WARN) -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) -Iinclude -Ihv/include -Iarch/include \
	-fno-pic -fno-pie -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common \
	-fno-strict-aliasing -MMD -MP
FREESTANDING := $(IMG_WARN) -Iarch/$(IMG_ARCH)/include -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -mindirect-branch=thunk -mindirect-branch-register \
	-fstack-protector-strong -mstack-protector-guard-reg=fs \
	-mstack-protector-guard-offset=0x28 -fcf-protection=none
# libfdt.h, with our own environment header in front of the system's.
FDT_CFLAGS := -idirafter /usr/include

# What only one of the platforms has: ports and PCI on one, memory-mapped devices on the other. No
# other file of hv/ names an architecture (tools/check/depend reads these lists).
HV_ONLY_x86_64 := $(patsubst %,hv/dev/%.c,acpi aml com1 msix pci piix platform rtc) \
	hv/dev/virtio_pci.c \
	$(patsubst %,hv/domain/%.c,layout_x86 linux_x86 measured_x86 pvh_x86 reset_x86 shim_x86) \
	$(patsubst %,hv/domain/%.c,snp_x86 tdvf_x86 tdx_x86 unaccepted_x86)
HV_ONLY_aarch64 := $(patsubst %,hv/dev/%.c,pl011 pl031 platform_mmio virtio_mmio) \
	$(patsubst %,hv/domain/%.c,dt_arm64 linux_arm64)
HV_COMMON_SRC := $(filter-out $(HV_ONLY_x86_64) $(HV_ONLY_aarch64), \
	$(wildcard hv/core/*.c hv/dev/*.c hv/domain/*.c))

IMG_SRC := $(HV_COMMON_SRC) $(HV_ONLY_$(IMG_ARCH)) $(wildcard arch/common/*.c) \
	$(wildcard $(addprefix arch/$(IMG_ARCH)/,boot/*.c cpu/*.c mm/*.c virt/*.c)) \
	$(wildcard $(addprefix arch/$(IMG_ARCH)/,boot/*.S cpu/*.S virt/*.S)) \
	$(addprefix arch/$(IMG_ARCH)/shim/,snp_shim.S tdx_image.S)
IMG_SRC += cc/registry.c $(filter-out %_hw_$(IMG_ARCH).c,$(wildcard cc/snp/*.c cc/tdx/*.c))
# Below the silicon line. The link picks.
REAL_SRC := cc/snp/snp_hw_$(IMG_ARCH).c cc/snp/snp_vmrun.S cc/tdx/tdx_hw_$(IMG_ARCH).c
# The legacy Xen ABI: an optional module, in an image of its own.
XENPV_SRC := $(wildcard hv/xenpv/*.c) arch/$(IMG_ARCH)/legacy/guest_abi.c
XENPV_OBJ := $(patsubst %,$(IMG)/%.o,$(XENPV_SRC))
REAL_OBJ := $(patsubst %,$(IMG)/%.o,$(REAL_SRC))
IMG_OBJ := $(patsubst %,$(IMG)/%.o,$(IMG_SRC))
IMG_LDS := arch/$(IMG_ARCH)/link.ld
IMG_LINK = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,$(IMG_LDS)

IMAGES += $(B)/cloister.bin
# `make XENPV=1` makes cloister-xen.bin, too.
XENPV := 0
IMAGES += $(if $(filter 1,$(XENPV)),$(B)/cloister-xen.bin)

# What exits, calls, interrupts and queues run is made fast, all else of the image small.
HOT := $(patsubst %,hv/core/%.c,call call_event guest_abi guestmem sched sha256 string timer) \
	hv/core/vm_io.c $(patsubst %,hv/dev/%.c,msix net_hub virtio virtio_blk virtio_net virtq) \
	$(patsubst %,cc/snp/%.c,snp_ghcb snp_ghcb_page snp_vcpu) cc/tdx/tdx_call.c \
	cc/tdx/tdx_vcpu.c $(filter-out %/reset.c,$(wildcard arch/x86_64/virt/*.c)) \
	arch/common/clock.c $(patsubst %,arch/x86_64/cpu/%.c,clock lapic)
COLD := $(filter-out $(HOT),$(filter %.c,$(IMG_SRC) $(REAL_SRC)))
$(patsubst %,$(IMG)/%.o,$(COLD)): SIZE := -Os

$(IMG)/%.c.o: %.c hv/build.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FREESTANDING) $(SIZE) $(FDT_CFLAGS) -c -o $@ $<

$(IMG)/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) -Wa,--noexecstack,-I$(IMG) -Iarch/$(IMG_ARCH)/include -MMD -MP -c -o $@ $<

# A TD's shim runs where nothing else is, so it is linked by itself, and then is data.
TDX_SHIM := $(IMG)/tdx_shim.bin
TDX_SHIM_OBJ := $(patsubst %,$(IMG)/shim/%.o,tdx_shim.S tdx_measure.c sha384.c)
$(IMG)/shim/%.o: arch/x86_64/shim/% hv/build.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(IMG_WARN) -fpie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
		-fcf-protection=none -c -o $@ $<

$(TDX_SHIM): $(TDX_SHIM_OBJ) arch/x86_64/shim/tdx_shim.ld
	$(call say,LD,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,--no-warn-rwx-segments -Wl,-T,arch/x86_64/shim/tdx_shim.ld -o $@.elf $(TDX_SHIM_OBJ)
	$(Q)objcopy -O binary --gap-fill 0 $@.elf $@

$(IMG)/arch/x86_64/shim/tdx_image.S.o: $(TDX_SHIM)

$(IMG)/version.c: Makefile
	@mkdir -p $(@D)
	$(Q)printf 'extern const char cloister_version[];\nconst char cloister_version[] = "%s";\n' \
		'$(VERSION)' > $@

$(IMG)/symbols0.c: hv/symbols.awk
	@mkdir -p $(@D)
	$(Q)awk -f hv/symbols.awk < /dev/null > $@

$(IMG)/symbols-%.c: $(IMG)/%0.elf hv/symbols.awk
	$(call say,SYMS,$@)
	$(Q)nm -n $< | awk -f hv/symbols.awk > $@

$(IMG)/%.o: $(IMG)/%.c
	$(Q)$(CC) $(FREESTANDING) -c -o $@ $<

define link_image
	$(call say,LD,$@)
	$(Q)$(IMG_LINK) -o $@ $(filter %.o,$^) -l:libfdt.a $(1)
endef
IMG_COMMON := $(IMG_OBJ) $(IMG)/version.o

$(IMG)/cloister0.elf: $(IMG_COMMON) $(REAL_OBJ) $(IMG)/symbols0.o $(IMG_LDS)
	$(call link_image)
$(IMG)/cloister1.elf: $(IMG_COMMON) $(REAL_OBJ) $(IMG)/symbols-cloister.o $(IMG_LDS)
	$(call link_image)
$(IMG)/xen0.elf: $(IMG_COMMON) $(REAL_OBJ) $(XENPV_OBJ) $(IMG)/symbols0.o $(IMG_LDS)
	$(call link_image)
$(IMG)/xen1.elf: $(IMG_COMMON) $(REAL_OBJ) $(XENPV_OBJ) $(IMG)/symbols-xen.o $(IMG_LDS)
	$(call link_image)

$(B)/cloister-xen.bin: $(IMG)/xen1.elf
	$(call say,BIN,$@)
	$(Q)objcopy -O binary $< $@

$(B)/cloister.bin: $(IMG)/cloister1.elf
	$(call say,BIN,$@)
	$(Q)objcopy -O binary $< $@

include cc/emu/build.mk
include hv/xenpv/box/build.mk
include arch/aarch64/build.mk
include cc/emu/aarch64/build.mk
