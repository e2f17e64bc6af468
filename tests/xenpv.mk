# The legacy Xen module (hv/xenpv) with the core on the fake machine: unit tests, fuzzers.

XENPV_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/xenpv_*.c))
XENPV_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/xenpv_*.c))
XENPV_HOST := $(wildcard hv/xenpv/*.c) tests/lib/xenpv_host.c

UNIT_TESTS += $(XENPV_UNIT:%=$(B)/test/unit-%)
FUZZERS += $(XENPV_FUZZ:%=$(B)/test/fuzz-%)

# Like the core's own sources (tests/core.mk).
define xenpv_compile
$(B)/$(1)/core/hv/xenpv/%.o: hv/xenpv/%.c tests/lib/core_names.txt
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) -ffreestanding $(CORE_INC) -c $$< -o $$@
	$$(Q)$(CORE_RENAME) $$@
endef
$(eval $(call xenpv_compile,test,$(CC) $(SAN_CFLAGS) -Wno-clobbered))
$(eval $(call xenpv_compile,fuzz,clang $(CORE_FUZZ_CFLAGS)))

$(B)/test/unit-xenpv_%: $(B)/test/core/tests/unit/xenpv_%.o \
		$(call core_objs,test,tests/lib/cu.c $(CORE_LIB) $(CORE_SRC) $(XENPV_HOST))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ $(CORE_LINK) -lcunit -o $@

$(B)/test/fuzz-xenpv_%: $(B)/fuzz/core/tests/fuzz/xenpv_%.o \
		$(call core_objs,fuzz,$(CORE_LIB) $(CORE_SRC) $(XENPV_HOST))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(CORE_LINK) -lcunit -o $@

# Off by default is the module, not its tests.
check bench: $(B)/cloister-xen.bin $(B)/cloister-pv64.bin

# Xen's own tests, where somebody has built them.
BOOT_TESTS += tests/xtf/run
