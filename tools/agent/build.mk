# The guest agent (static, PID 1) and the default ramdisk.

AGENT_SRC := $(wildcard tools/agent/*.c)
AGENT_OBJ := $(AGENT_SRC:%.c=$(B)/obj/%.o)
AGENT := $(B)/guest/agent
RAMDISK := $(B)/guest/ramdisk.cpio
BINS += $(AGENT)

$(B)/obj/tools/agent/%.o: tools/agent/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

$(AGENT): $(AGENT_OBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -static -Wl,--build-id=none -s -o $@ $^

# The same for arm64 guests.
AGENT_ARM64 := $(B)/guest/agent-arm64
RAMDISK_ARM64 := $(B)/guest/ramdisk-arm64.cpio
BINS += $(AGENT_ARM64)

$(B)/obj-arm64/tools/agent/%.o: tools/agent/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) $(HOST_CFLAGS) -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

$(AGENT_ARM64): $(AGENT_SRC:%.c=$(B)/obj-arm64/%.o)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(A64_CC) -static -Wl,--build-id=none -s -o $@ $^

$(RAMDISK_ARM64): tools/guest/mkramdisk tools/guest/modules.list $(AGENT_ARM64) \
		$(CACHE)/arm64/busybox $(GUEST_KERNELS_ARM64)
	$(call say,GEN,$@)
	$(Q)tools/guest/mkramdisk --init $(AGENT_ARM64) --busybox $(CACHE)/arm64/busybox \
		--modules tools/guest/modules.list \
		$(patsubst %/vmlinuz,--kernel %,$(GUEST_KERNELS_ARM64)) $@

$(RAMDISK): tools/guest/mkramdisk tools/guest/modules.list $(AGENT) $(GUEST_KERNELS)
	$(call say,GEN,$@)
	$(Q)tools/guest/mkramdisk --init $(AGENT) --busybox /bin/busybox \
		--modules tools/guest/modules.list $(patsubst %/vmlinuz,--kernel %,$(GUEST_KERNELS)) $@

.PHONY: guest
guest: $(RAMDISK) $(GUEST_KERNELS) $(RAMDISK_ARM64) $(GUEST_KERNELS_ARM64)
