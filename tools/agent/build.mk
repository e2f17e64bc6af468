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

# Linked whole, for a ramdisk without libraries; what a static libcrypto needs, its package says.
# What the linker warns of is in OpenSSL's code for sockets and plug-ins, which nothing here calls.
AGENT_LIBS = -ljansson -lcrypto $(shell sed -n 's/^Libs.private: *//p' \
	/usr/lib/$$($(CC) -print-multiarch)/pkgconfig/libcrypto.pc)
$(AGENT): $(AGENT_OBJ) $(ATTEST_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -static -Wl,--build-id=none,--no-warnings -s -o $@ $^ $(AGENT_LIBS)

# The same for arm64 guests, with what of libcloister-attest the agent calls.
AGENT_ARM64_SRC := $(filter-out tools/agent/fpu.c,$(AGENT_SRC)) tools/agent/arm64/fpu.c \
	$(patsubst %,attestation/%.c,error hash hex jose_ec jose_jwk jwe jwe_wrap status)
AGENT_ARM64 := $(B)/guest/agent-arm64
RAMDISK_ARM64 := $(B)/guest/ramdisk-arm64.cpio
BINS += $(AGENT_ARM64)

$(B)/obj-arm64/%.o: %.c | $(CACHE)/arm64/libcrypto.a
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(A64_CC) $(HOST_CFLAGS) $(ATTEST_INC) -isystem $(CACHE)/arm64/include \
		-ffile-prefix-map=$(CURDIR)=. -c -o $@ $<

AGENT_ARM64_LIBS = -L$(CACHE)/arm64 -ljansson -lcrypto $(shell sed -n 's/^Libs.private: *//p' \
	$(CACHE)/arm64/libcrypto.pc)
$(AGENT_ARM64): $(AGENT_ARM64_SRC:%.c=$(B)/obj-arm64/%.o)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(A64_CC) -static -Wl,--build-id=none,--no-warnings -s -o $@ $^ $(AGENT_ARM64_LIBS)

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

NEW_RAMDISK := $(B)/guest/ramdisk-$(NEW_KERNEL).cpio
$(NEW_RAMDISK): tools/guest/mkramdisk tools/guest/modules.list $(AGENT) \
		$(CACHE)/kernel-$(NEW_KERNEL)/vmlinuz
	$(call say,GEN,$@)
	$(Q)tools/guest/mkramdisk --init $(AGENT) --busybox /bin/busybox \
		--modules tools/guest/modules.list --kernel $(CACHE)/kernel-$(NEW_KERNEL) $@

# What the agent makes of a broker's bytes, and of its own processes, is tested on the host:
# tests/unit/agent_NAME.c is of tools/agent/NAME.c.
AGENT_UNIT := $(patsubst tests/unit/%.c,$(B)/test/unit-%,$(wildcard tests/unit/agent_*.c))
AGENT_FUZZ := $(patsubst tests/fuzz/%.c,$(B)/test/fuzz-%,$(wildcard tests/fuzz/agent_*.c))
UNIT_TESTS += $(AGENT_UNIT)
FUZZERS += $(AGENT_FUZZ)

$(B)/agent-san/%.o: %.c
	$(call say,CC-SAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) $(ATTEST_INC) -Itools/agent -Itests/lib -c -o $@ $<

$(B)/agent-fuzz/%.o: %.c
	$(call say,CC-FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) $(ATTEST_INC) -Itools/agent -c -o $@ $<

$(B)/test/unit-agent_%: $(B)/agent-san/tests/unit/agent_%.o $(B)/agent-san/tests/lib/cu.o \
		$(B)/agent-san/tools/agent/%.o $(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -o $@ $^ -lcunit $(ATTEST_LIBS)

$(B)/test/fuzz-agent_%: $(B)/agent-fuzz/tests/fuzz/agent_%.o $(B)/agent-fuzz/tools/agent/reply.o \
		$(B)/lib/libcloister-attest-fuzz.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ATTEST_LIBS)

.PHONY: guest
guest: $(RAMDISK) $(NEW_RAMDISK) $(GUEST_KERNELS) $(RAMDISK_ARM64) $(GUEST_KERNELS_ARM64)
