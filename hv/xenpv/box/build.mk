# The box of PV64 guests: an image of its own, which starts like a Linux kernel. `make XENPV=1`.

BOX := $(B)/box
BOX_SRC := $(wildcard hv/xenpv/box/*.c) hv/xenpv/store.c hv/xenpv/store_nodes.c hv/core/string.c \
	hv/core/printf.c include/abi/guest.c
BOX_OBJ := $(patsubst %,$(BOX)/%.o,$(BOX_SRC) $(wildcard hv/xenpv/box/*.S))
BOX_LDS := hv/xenpv/box/box.ld
# It is linked at an address that only RIP-relative code reaches.
BOX_CFLAGS := $(filter-out -fno-pic -fno-pie -fno-omit-frame-pointer,$(IMG_WARN)) -fpie \
	-Iarch/x86_64/include -fvisibility=hidden -mno-red-zone -mgeneral-regs-only \
	-fcf-protection=none -fstack-protector-strong -mstack-protector-guard=global

IMAGES += $(if $(filter 1,$(XENPV)),$(B)/cloister-pv64.bin)

$(BOX)/%.c.o: %.c hv/xenpv/box/build.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(BOX_CFLAGS) -c -o $@ $<

$(BOX)/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(CC) -Wa,--noexecstack -Ihv/xenpv/box -MMD -MP -c -o $@ $<

$(BOX)/box.elf: $(BOX_OBJ) $(BOX_LDS)
	$(call say,LD,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,$(BOX_LDS) -o $@ $(filter %.o,$^)

$(B)/cloister-pv64.bin: $(BOX)/box.elf
	$(call say,BIN,$@)
	$(Q)objcopy -O binary $< $@
