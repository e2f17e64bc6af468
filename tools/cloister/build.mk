# The cloister program, its unit tests and its fuzzers.
#
#   tools/cloister/*.c       -> build/bin/cloister
#   tests/unit/tools_*.c     -> build/test/unit-tools_*   (ASan + UBSan)
#   tests/fuzz/tools_*.c     -> build/test/fuzz-tools_*   (clang libFuzzer)

CLOISTER := $(B)/bin/cloister
CLOISTER_SRC := $(wildcard tools/cloister/*.c)
CLOISTER_LIBS := -lfdt -ljansson -lzstd -llz4
# What the attestation verbs need.
CLOISTER_INC := $(ATTEST_INC)
CLOISTER_MORE := $(ATTEST_LIB) $(PREDICT_LIB) $(ATTEST_LIBS)
BINS += $(CLOISTER)

TOOLS_LIB_SRC := $(filter-out tools/cloister/main.c tools/cloister/verb%.c \
	tools/cloister/attest_%.c,$(CLOISTER_SRC))
TOOLS_UNIT := $(patsubst tests/unit/%.c,$(B)/test/unit-%,$(wildcard tests/unit/tools_*.c))
TOOLS_FUZZ := $(patsubst tests/fuzz/%.c,$(B)/test/fuzz-%,$(wildcard tests/fuzz/tools_*.c))
UNIT_TESTS += $(TOOLS_UNIT)
FUZZERS += $(TOOLS_FUZZ)
TOOLS_INC := -Itools/cloister -Itests/lib

$(B)/tools/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(TOOLS_INC) $(CLOISTER_INC) -c -o $@ $<

$(B)/tools-san/%.o: %.c
	$(call say,CC-SAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) $(TOOLS_INC) -c -o $@ $<

$(B)/tools-fuzz/%.o: %.c
	$(call say,CC-FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(SAN_CFLAGS) -fsanitize=fuzzer-no-link $(TOOLS_INC) -c -o $@ $<

$(CLOISTER): $(CLOISTER_SRC:%.c=$(B)/tools/%.o) $(ATTEST_LIB) $(PREDICT_LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $(filter %.o,$^) $(CLOISTER_MORE) $(CLOISTER_LIBS)

# What a control domain needs of it, static, for its ramdisk.
GUEST_CLOISTER := $(B)/guest/cloister
GUEST_CLOISTER_SRC := $(patsubst %,tools/cloister/%.c,main guest/verbs cli opts control_port \
	control_domain verb_control verb_create verb_console)
GUEST_CLOISTER_ARM64 := $(B)/guest/cloister-arm64
BINS += $(GUEST_CLOISTER) $(GUEST_CLOISTER_ARM64)

$(GUEST_CLOISTER_ARM64): $(GUEST_CLOISTER_SRC:%.c=$(B)/obj-arm64/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(A64_CC) -static -Wl,--build-id=none -s -o $@ $^ -L$(CACHE)/arm64 -ljansson

$(GUEST_CLOISTER): $(GUEST_CLOISTER_SRC:%.c=$(B)/tools/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -Wl,--build-id=none -s -o $@ $^ -ljansson

$(B)/test/unit-tools_%: $(B)/tools-san/tests/unit/tools_%.o $(B)/tools-san/tests/lib/cu.o \
		$(TOOLS_LIB_SRC:%.c=$(B)/tools-san/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -o $@ $^ -lcunit $(CLOISTER_LIBS)

$(B)/test/fuzz-tools_%: $(B)/tools-fuzz/tests/fuzz/tools_%.o \
		$(TOOLS_LIB_SRC:%.c=$(B)/tools-fuzz/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)clang $(SAN_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(CLOISTER_LIBS)
