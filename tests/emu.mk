# The emulated chips (cc/emu) as host programs over tests/lib/emu_host.c: unit tests, fuzzers, and
# stress tests under ThreadSanitizer.

include cc/emu/certs.mk

EMU_SRC := $(filter-out cc/emu/snp_core%.c cc/emu/emu_mem.c cc/emu/emu_libc.c cc/emu/tdx_%.c,\
	$(wildcard cc/emu/*.c))
EMU_LIB := $(wildcard tests/lib/emu_*.c)
EMU_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/emu_*.c))
EMU_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/emu_*.c))
EMU_INC := -Ihv/include -Iarch/x86_64/include -Iattestation/include -Itests/lib
EMU_LIBS := -l:libbearssl.a -lpthread
EMU_FUZZ_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
emu_objs = $(patsubst %.c,$(B)/$(1)/emu/%.o,$(2))

EMU_STRESS := $(patsubst tests/stress/%.c,%,$(wildcard tests/stress/emu_*.c))
EMU_TSAN_CFLAGS := $(filter-out -fsanitize=% -fno-sanitize-recover=%,$(SAN_CFLAGS)) \
	-fsanitize=thread

UNIT_TESTS += $(EMU_UNIT:%=$(B)/test/unit-%) $(EMU_STRESS:%=$(B)/test/stress-%)
FUZZERS += $(EMU_FUZZ:%=$(B)/test/fuzz-%)

$(B)/test/emu/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(EMU_INC) -c $< -o $@

$(B)/test/unit-emu_%: $(B)/test/emu/tests/unit/emu_%.o \
		$(call emu_objs,test,$(EMU_SRC) $(EMU_LIB) tests/lib/attest_file.c tests/lib/cu.c) \
		$(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit $(EMU_LIBS) $(ATTEST_LIBS) -o $@

$(B)/tsan/emu/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC-TSAN,$@)
	$(Q)$(CC) $(EMU_TSAN_CFLAGS) $(EMU_INC) -c $< -o $@

$(B)/test/stress-emu_%: $(B)/tsan/emu/tests/stress/emu_%.o \
		$(call emu_objs,tsan,$(EMU_SRC) tests/lib/emu_host.c tests/lib/cu.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(EMU_TSAN_CFLAGS) $^ -lcunit $(EMU_LIBS) -o $@

$(B)/fuzz/emu/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)clang $(EMU_FUZZ_CFLAGS) $(EMU_INC) -c $< -o $@

$(B)/test/fuzz-emu_%: $(B)/fuzz/emu/tests/fuzz/emu_%.o \
		$(call emu_objs,fuzz,$(EMU_SRC) tests/lib/emu_host.c tests/lib/emu_peer.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(EMU_LIBS) -lcrypto -o $@

$(B)/test/unit-emu_verdict: | $(EMU_CERTS)

# Parts of the x86-64 core that run anywhere; what they stand on is the test's.
EMUCORE := $(B)/test/emucore
UNIT_TESTS += $(patsubst %,$(B)/test/unit-emucore_%,decode flush nested)
$(EMUCORE)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) -Itests/lib/emucore $(EMU_INC) -Iarch/include -c $< -o $@

$(B)/test/unit-emucore_decode: $(EMUCORE)/cc/emu/x86_64/snp_decode.o
$(B)/test/unit-emucore_flush: $(EMUCORE)/cc/emu/x86_64/snp_nested.o \
		$(EMUCORE)/cc/emu/x86_64/emu_tables.o
$(B)/test/unit-emucore_nested: $(EMUCORE)/cc/emu/x86_64/tdx_nested.o \
		$(EMUCORE)/cc/emu/x86_64/emu_tables.o
$(B)/test/unit-emucore_%: $(EMUCORE)/tests/unit/emucore_%.o $(EMUCORE)/tests/lib/cu.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@
