# The test RMM's logic (cc/emu/cca) as host programs over tests/lib/cca_host.c.

CCA_SRC := $(wildcard cc/emu/cca/*.c) cc/emu/emu_crypto.c \
	cc/emu/aarch64/monitor/token.c tests/lib/cca_host.c
CCA_INC := -Ihv/include -Itests/lib -Iattestation/include

CCA_RMM_UNIT := cca_rmm cca_rec cca_attack_host cca_facts
UNIT_TESTS += $(CCA_RMM_UNIT:%=$(B)/test/unit-%)
FUZZERS += $(B)/test/fuzz-cca_rmm

$(B)/test/cca/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(CCA_INC) -c $< -o $@

$(CCA_RMM_UNIT:%=$(B)/test/unit-%): $(B)/test/unit-%: \
		$(B)/test/cca/tests/unit/%.o $(patsubst %.c,$(B)/test/cca/%.o,$(CCA_SRC) \
		tests/lib/cca_realm.c tests/lib/cu.c) $(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -l:libbearssl.a $(ATTEST_LIBS) -o $@

# A launch predicted, and the same by the RMM.
UNIT_TESTS += $(B)/test/unit-cca_predict
$(B)/test/unit-cca_predict: $(patsubst %.c,$(B)/test/cca/%.o,$(CCA_SRC) tests/unit/cca_predict.c \
		tools/cloister/attest_measure_rim.c tests/lib/cca_realm.c tests/lib/cu.c) \
		$(PREDICT_ARM) $(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -lfdt -l:libbearssl.a $(ATTEST_LIBS) -o $@

# Both sides of the RMM-EL3 interface.
UNIT_TESTS += $(B)/test/unit-cca_el3
$(B)/test/unit-cca_el3: $(patsubst %.c,$(B)/test/cca/%.o,$(CCA_SRC) tests/unit/cca_el3.c \
		cc/emu/aarch64/monitor/attest.c tests/lib/cca_realm.c tests/lib/cu.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -l:libbearssl.a -o $@

$(B)/fuzz/cca/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)clang $(EMU_FUZZ_CFLAGS) $(CCA_INC) -c $< -o $@

$(B)/test/fuzz-cca_rmm: $(patsubst %.c,$(B)/fuzz/cca/%.o,$(CCA_SRC) tests/fuzz/cca_rmm.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -l:libbearssl.a -o $@

# The driver as it is, the RMM below it.
CCA_DRIVER_INC := -Itests/lib/cca -Ihv/include -Iarch/include -Iarch/aarch64/include -Itests/lib
CCA_DRIVER := $(filter-out %_aarch64.c,$(wildcard cc/cca/*.c)) tests/lib/cca_driver.c
CCA_DRIVER_UNIT := cca_driver cca_attack_guest
UNIT_TESTS += $(CCA_DRIVER_UNIT:%=$(B)/test/unit-%)

$(B)/test/cca-driver/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(CCA_DRIVER_INC) -c $< -o $@

$(CCA_DRIVER_UNIT:%=$(B)/test/unit-%): $(B)/test/unit-%: $(B)/test/cca-driver/tests/unit/%.o \
		$(CCA_DRIVER:%.c=$(B)/test/cca-driver/%.o) \
		$(patsubst %.c,$(B)/test/cca/%.o,$(CCA_SRC) tests/lib/cu.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -l:libbearssl.a -o $@
