# hv/core on the fake machine (arch/fake): unit tests, stress tests under the thread sanitizer,
# fuzzers. The core's sources are compiled as they are; then its own string functions get names that
# do not collide with the host's, its variables sections that a test can put back, and panic() gives
# way to the fake's.

CORE_SRC := $(wildcard hv/core/*.c)
CORE_LIB := $(wildcard arch/fake/*.c) tests/lib/core_host.c tests/lib/core_registry.c
CORE_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/core_*.c))
CORE_STRESS := $(patsubst tests/stress/%.c,%,$(wildcard tests/stress/core_*.c))
CORE_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/core_*.c))
CORE_INC := -Ihv/include -Iarch/include -Iarch/fake/include -Itests/lib
# Fences are not modelled: here they only order atomics, which race with nothing.
CORE_TSAN_CFLAGS := -std=gnu11 -O1 -g $(WARN) -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=thread -Wno-tsan -fno-omit-frame-pointer
CORE_FUZZ_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
CORE_RENAME := objcopy --redefine-syms=tests/lib/core_names.txt \
	--rename-section .bss=core_bss --rename-section .data=core_data \
	--weaken-symbol=panic --weaken-symbol=__stack_chk_fail
CORE_LINK := -Wl,--wrap=page_alloc -lpthread
core_objs = $(patsubst %.c,$(B)/$(1)/core/%.o,$(2))

UNIT_TESTS += $(CORE_UNIT:%=$(B)/test/unit-%) $(CORE_STRESS:%=$(B)/test/stress-%)
FUZZERS += $(CORE_FUZZ:%=$(B)/test/fuzz-%)

# $(call core_compile,FOLDER,COMPILER WITH FLAGS,PREFIX OF BINUTILS)
define core_compile
$(B)/$(1)/core/hv/core/%.o: hv/core/%.c tests/lib/core_names.txt
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) -ffreestanding $(CORE_INC) -c $$< -o $$@
	$$(Q)$(3)$(CORE_RENAME) $$@

$(B)/$(1)/core/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) $(CORE_INC) -c $$< -o $$@
endef
# PANICS() jumps back over nothing that its test changes.
$(eval $(call core_compile,test,$(CC) $(SAN_CFLAGS) -Wno-clobbered))
$(eval $(call core_compile,stress,$(CC) $(CORE_TSAN_CFLAGS)))
$(eval $(call core_compile,fuzz,clang $(CORE_FUZZ_CFLAGS)))

$(B)/test/unit-core_%: $(B)/test/core/tests/unit/core_%.o \
		$(call core_objs,test,tests/lib/cu.c $(CORE_LIB) $(CORE_SRC))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(filter-out $(CORE_DROP),$^) $(CORE_LINK) -lcunit -o $@

# The core's own panic() is weak: without the fake's it is the one.
$(B)/test/unit-core_panic: CORE_DROP := %/arch/fake/panic.o

# These play a TPM.
CORE_TPM := core_tpm core_measure
$(CORE_TPM:%=$(B)/test/unit-%): $(B)/test/core/tests/lib/tpm_model.o
$(CORE_TPM:%=$(B)/test/unit-%): CORE_LINK += -lcrypto

$(B)/test/stress-core_%: $(B)/stress/core/tests/stress/core_%.o \
		$(call core_objs,stress,tests/lib/cu.c $(CORE_LIB) $(CORE_SRC))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CORE_TSAN_CFLAGS) $^ $(CORE_LINK) -lcunit -o $@

$(B)/test/fuzz-core_%: $(B)/fuzz/core/tests/fuzz/core_%.o \
		$(call core_objs,fuzz,$(CORE_LIB) $(CORE_SRC))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(CORE_LINK) -lcunit -o $@
