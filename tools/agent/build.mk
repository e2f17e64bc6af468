# The guest agent (static, PID 1), its unit tests and fuzzers, and the default ramdisk.

AGENT_SRC := $(wildcard tools/agent/*.c)
AGENT_OBJ := $(AGENT_SRC:%.c=$(B)/obj/%.o)
AGENT := $(B)/guest/agent
RAMDISK := $(B)/guest/ramdisk.cpio
BINS += $(AGENT)

$(B)/obj/tools/agent/%.o: tools/agent/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) $(ATTEST_INC) -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

# Linked whole, for a ramdisk without libraries. What the linker warns of is in OpenSSL's code for
# sockets and plug-ins, which nothing here calls.
$(AGENT): $(AGENT_OBJ) $(ATTEST_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -static -Wl,--build-id=none,--no-warnings -s -o $@ $^ -lcrypto -ljansson

$(RAMDISK): tools/guest/mkramdisk tools/guest/modules.list $(AGENT) $(GUEST_KERNELS)
	$(call say,GEN,$@)
	$(Q)tools/guest/mkramdisk --init $(AGENT) --busybox /bin/busybox \
		--modules tools/guest/modules.list $(patsubst %/vmlinuz,--kernel %,$(GUEST_KERNELS)) $@

.PHONY: guest
guest: $(RAMDISK) $(GUEST_KERNELS)
