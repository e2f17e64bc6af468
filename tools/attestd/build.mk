# attestd, the key broker.
#
#   tools/attestd/*.c (core)        -> build/lib/libattestd.a: requests in, replies out
#   ... with the transports, main   -> build/bin/attestd
#   tests/unit/attestd_*.c          -> build/test/unit-attestd_*    (ASan + UBSan)
#   tests/fuzz/attestd_*.c          -> build/test/fuzz-attestd_*    (clang libFuzzer)
#   tests/bench/attestd_*.c         -> build/test/bench-attestd_*   (run by `make bench-attestd`)

ATTESTD := $(B)/bin/attestd
ATTESTD_INC := $(ATTEST_INC) -Itools/attestd -Itests/lib
ATTESTD_LIBS := -levent_core -levent_openssl -lssl $(ATTEST_LIBS) -lsqlite3
ATTESTD_SRC := $(wildcard tools/attestd/*.c)
# All but main: what tests link.
ATTESTD_LIB_SRC := $(filter-out tools/attestd/main.c,$(ATTESTD_SRC))
ATTESTD_TEST_LIB := $(wildcard tests/lib/attestd_*.c) $(ATTEST_TEST_LIB)
ATTESTD_UNIT := $(patsubst tests/unit/%.c,$(B)/test/unit-%,$(wildcard tests/unit/attestd_*.c))
ATTESTD_FUZZ := $(patsubst tests/fuzz/%.c,$(B)/test/fuzz-%,$(wildcard tests/fuzz/attestd_*.c))
ATTESTD_BENCH := $(patsubst tests/bench/%.c,$(B)/test/bench-%,$(wildcard tests/bench/attestd_*.c))

BINS += $(ATTESTD)
UNIT_TESTS += $(ATTESTD_UNIT)
FUZZERS += $(ATTESTD_FUZZ)

$(B)/attestd/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) $(ATTESTD_INC) -c -o $@ $<

$(B)/attestd-san/%.o: %.c
	$(call say,CC-SAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) $(ATTESTD_INC) -c -o $@ $<

$(B)/attestd-fuzz/%.o: %.c
	$(call say,CC-FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) $(ATTESTD_INC) -c -o $@ $<

$(B)/lib/libattestd.a: $(ATTESTD_LIB_SRC:%.c=$(B)/attestd/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/libattestd-san.a: $(ATTESTD_LIB_SRC:%.c=$(B)/attestd-san/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/libattestd-fuzz.a: $(ATTESTD_LIB_SRC:%.c=$(B)/attestd-fuzz/%.o)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(ATTESTD): $(B)/attestd/tools/attestd/main.o $(B)/lib/libattestd.a $(ATTEST_LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ $(ATTESTD_LIBS)

$(B)/test/unit-attestd_%: $(B)/attestd-san/tests/unit/attestd_%.o \
		$(ATTESTD_TEST_LIB:%.c=$(B)/attestd-san/%.o) $(B)/lib/libattestd-san.a \
		$(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SAN_CFLAGS) -o $@ $^ -lcunit $(ATTESTD_LIBS)

$(B)/test/fuzz-attestd_%: $(B)/attestd-fuzz/tests/fuzz/attestd_%.o $(B)/lib/libattestd-fuzz.a \
		$(B)/lib/libcloister-attest-fuzz.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)clang $(ATTEST_FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ATTESTD_LIBS)

$(B)/test/bench-attestd_%: $(B)/attestd/tests/bench/attestd_%.o \
		$(ATTESTD_TEST_LIB:%.c=$(B)/attestd/%.o) $(B)/lib/libattestd.a $(ATTEST_LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -lcunit $(ATTESTD_LIBS)

.PHONY: bench-attestd
bench-attestd: $(ATTESTD_BENCH) $(ATTESTD)
	$(Q)for b in $(ATTESTD_BENCH); do $$b || exit 1; done

.PHONY: check-attestd
check-attestd: $(ATTESTD_UNIT) $(ATTESTD)
	$(Q)for t in $(ATTESTD_UNIT); do $$t || exit 1; done
