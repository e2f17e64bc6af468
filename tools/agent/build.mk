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

$(RAMDISK): tools/guest/mkramdisk tools/guest/modules.list $(AGENT) $(GUEST_KERNELS)
	$(call say,GEN,$@)
	$(Q)tools/guest/mkramdisk --init $(AGENT) --busybox /bin/busybox \
		--modules tools/guest/modules.list $(patsubst %/vmlinuz,--kernel %,$(GUEST_KERNELS)) $@

.PHONY: guest
guest: $(RAMDISK) $(GUEST_KERNELS)
