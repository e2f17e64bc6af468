# Device models: unit tests and fuzzers, over the fake VM of tests/lib.

DEV_SRC := $(filter-out $(HV_ONLY_aarch64),$(wildcard hv/dev/*.c))
DEV_LIB := tests/lib/fake_vm.c tests/lib/fake_io.c tests/lib/fake_env.c
DEV_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/dev_*.c))
DEV_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/dev_*.c))
DEV_OBJ := $(patsubst %.c,$(B)/test/dev/%.o,$(DEV_SRC) $(DEV_LIB) tests/lib/dev_driver.c)
DEV_FUZZ_OBJ := $(patsubst %.c,$(B)/fuzz/dev/%.o,$(DEV_SRC) $(DEV_LIB) tests/lib/dev_driver.c \
	tests/lib/dev_fuzz.c)
DEV_INC := -Ihv/include -Iarch/include -Itests/lib
DEV_FUZZ_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

UNIT_TESTS += $(patsubst %,$(B)/test/unit-%,$(DEV_UNIT))
FUZZERS += $(patsubst %,$(B)/test/fuzz-%,$(DEV_FUZZ))

$(B)/test/dev/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(DEV_INC) -c $< -o $@

$(B)/test/unit-dev_%: $(B)/test/dev/tests/unit/dev_%.o $(B)/test/dev/tests/lib/cu.o $(DEV_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

$(B)/fuzz/dev/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)clang $(DEV_FUZZ_CFLAGS) $(DEV_INC) -c $< -o $@

$(B)/test/fuzz-dev_%: $(B)/fuzz/dev/tests/fuzz/dev_%.o $(DEV_FUZZ_OBJ)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -o $@
