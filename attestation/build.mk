# libcloister-attest: hosted C on OpenSSL, jansson and the TPM marshalling library.
#
#   attestation/*.c          -> build/lib/libcloister-attest.a
#   tests/unit/attest_*.c    -> build/test/unit-attest_*   (ASan + UBSan)
#   tests/fuzz/attest_*.c    -> build/test/fuzz-attest_*   (clang libFuzzer)
#   tests/stress/attest_*.c  -> build/test/stress-attest_* (ThreadSanitizer; run as unit tests)
#   tests/bench/attest_*.c   -> build/test/bench-attest_*  (optimised, run by `make bench-attest`)
# tests/lib/attest_*.c are helpers for all of these.

ATTEST_INC := -Iattestation/include
ATTEST_LIB := $(B)/lib/libcloister-attest.a
ATTEST_LIBS := -lcrypto -ljansson -ltss2-mu -lpthread
ATTEST_SRC := $(wildcard attestation/*.c)
ATTEST_TEST_LIB := $(wildcard tests/lib/attest_*.c) tests/lib/cu.c
ATTEST_UNIT := $(patsubst tests/unit/%.c,$(B)/test/unit-%,$(wildcard tests/unit/attest_*.c))
ATTEST_FUZZ := $(patsubst tests/fuzz/%.c,$(B)/test/fuzz-%,$(wildcard tests/fuzz/attest_*.c))
ATTEST_BENCH := $(patsubst tests/bench/%.c,$(B)/test/bench-%,$(wildcard tests/bench/attest_*.c))

ATTEST_STRESS := $(patsubst tests/stress/%.c,$(B)/test/stress-%,\
	$(wildcard tests/stress/attest_*.c))
ATTEST_TSAN_CFLAGS := $(filter-out -fsanitize=% -fno-sanitize-recover=%,$(SAN_CFLAGS)) \
	-fsanitize=thread

# What a test compares us with.
$(B)/test/unit-attest_cbor: ATTEST_ORACLE := -lcbor

UNIT_TESTS += $(ATTEST_UNIT) $(ATTEST_STRESS)
FUZZERS += $(ATTEST_FUZZ)

ATTEST_FUZZ_CFLAGS := $(filter-out -fno-sanitize-recover=all,$(SAN_CFLAGS)) \
	-fsanitize=fuzzer-no-link -fno-sanitize-recover=all

$(B)/attest/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(ATTEST_INC) -Itests/lib -c -o $@ $<

$(B)/attest-san/%.o: %.c
	$(call say,CC-SAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) $(ATTEST_INC) -Itests/lib -c -o $@ $<

$(B)/attest-fuzz/%.o: %.c
	$(call say,CC-FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) $(ATTEST_INC) -Itests/lib -c -o $@ $<

$(B)/attest-tsan/%.o: %.c
	$(call say,CC-TSAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ATTEST_TSAN_CFLAGS) $(ATTEST_INC) -Itests/lib -c -o $@ $<

$(ATTEST_LIB): $(ATTEST_SRC:%.c=$(B)/attest/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/libcloister-attest-san.a: $(ATTEST_SRC:%.c=$(B)/attest-san/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/libcloister-attest-fuzz.a: $(ATTEST_SRC:%.c=$(B)/attest-fuzz/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/test/unit-attest_%: $(B)/attest-san/tests/unit/attest_%.o \
		$(ATTEST_TEST_LIB:%.c=$(B)/attest-san/%.o) $(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -o $@ $(filter %.o %.a,$^) -lcunit $(ATTEST_LIBS) $(ATTEST_ORACLE)

$(B)/test/stress-attest_%: $(B)/attest-tsan/tests/stress/attest_%.o \
		$(ATTEST_TEST_LIB:%.c=$(B)/attest-tsan/%.o) $(ATTEST_SRC:%.c=$(B)/attest-tsan/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ATTEST_TSAN_CFLAGS) -o $@ $^ -lcunit $(ATTEST_LIBS)

$(B)/test/fuzz-attest_%: $(B)/attest-fuzz/tests/fuzz/attest_%.o $(B)/lib/libcloister-attest-fuzz.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ATTEST_LIBS)

$(B)/test/bench-attest_%: $(B)/attest/tests/bench/attest_%.o \
		$(ATTEST_TEST_LIB:%.c=$(B)/attest/%.o) $(ATTEST_LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -lcunit $(ATTEST_LIBS)

# Drives the program itself.
$(B)/test/unit-attest_verbs $(B)/test/unit-attest_verbs_tdx \
	$(B)/test/unit-attest_verbs_vectors: $(B)/bin/cloister

.PHONY: bench-attest
bench-attest: $(ATTEST_BENCH)
	$(Q)for b in $^; do $$b || exit 1; done
	$(Q)openssl speed -seconds 1 ecdsap384 ecdsap256 2>/dev/null | tail -3

.PHONY: check-attest
check-attest: $(ATTEST_UNIT)
	$(Q)for t in $^; do $$t || exit 1; done

everything: $(ATTEST_LIB)
