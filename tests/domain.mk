# hv/domain: unit tests and fuzzers of the bundle parser, layouts and the builder.

DOMAIN_SRC := $(filter-out %_arm64.c,$(wildcard hv/domain/*.c))
DOMAIN_PURE := $(filter-out hv/domain/load.c hv/domain/builder.c,$(DOMAIN_SRC))
DOMAIN_LIB := hv/core/sha256.c \
	$(patsubst %,tests/lib/%.c,domain_host domain_lay fake_vm fake_io fake_env)
DOMAIN_FUZZ_LIB := hv/core/sha256.c \
	$(patsubst %,tests/lib/%.c,domain_host domain_fuzz fake_vm fake_io fake_env)
DOMAIN_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/domain_*.c))
DOMAIN_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/domain_*.c))
DOMAIN_INC := -Ihv/include -Iarch/include -Iarch/fake/include -Itests/lib
DOMAIN_FUZZ_CFLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -MMD -MP -Iinclude \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
domain_objs = $(patsubst %.c,$(B)/$(1)/domain/%.o,$(2))

UNIT_TESTS += $(DOMAIN_UNIT:%=$(B)/test/unit-%)
FUZZERS += $(DOMAIN_FUZZ:%=$(B)/test/fuzz-%)

$(B)/test/domain/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(DOMAIN_INC) -c $< -o $@

$(B)/test/unit-domain_%: $(B)/test/domain/tests/unit/domain_%.o \
		$(call domain_objs,test,tests/lib/cu.c $(DOMAIN_LIB) $(DOMAIN_PURE)) \
		$(B)/test/domain/snp_shim.o $(B)/test/domain/tdx_image.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lfdt -lcunit $(DOMAIN_MORE) -o $@

$(B)/test/unit-domain_config: DOMAIN_MORE := -lcrypto

$(B)/test/unit-domain_builder: \
		$(call domain_objs,test,hv/domain/load.c hv/domain/builder.c hv/core/layout_write.c)

# The shims of encrypted guests are data to a layout.
$(B)/test/domain/%.o: arch/x86_64/shim/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,-I$(B)/image -MMD -MP -c -o $@ $<
$(B)/test/domain/tdx_image.o: $(B)/image/tdx_shim.bin

$(B)/fuzz/domain/%.o: arch/x86_64/shim/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,-I$(B)/image -MMD -MP -c -o $@ $<
$(B)/fuzz/domain/tdx_image.o: $(B)/image/tdx_shim.bin

$(B)/fuzz/domain/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)clang $(DOMAIN_FUZZ_CFLAGS) $(DOMAIN_INC) -c $< -o $@

$(B)/test/fuzz-domain_%: $(B)/fuzz/domain/tests/fuzz/domain_%.o \
		$(call domain_objs,fuzz,$(DOMAIN_FUZZ_LIB) $(DOMAIN_PURE)) \
		$(B)/fuzz/domain/snp_shim.o $(B)/fuzz/domain/tdx_image.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -lfdt -o $@

# Code of the shims that runs anywhere.
UNIT_TESTS += $(B)/test/unit-shim_sha384 $(B)/test/unit-shim_snp
$(B)/test/unit-shim_sha384: $(B)/test/domain/tests/unit/shim_sha384.o \
		$(call domain_objs,test,tests/lib/cu.c arch/x86_64/shim/sha384.c)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -lcrypto -o $@

# A process is the guest: what its CPU does not know, the test answers.
$(B)/test/unit-shim_snp: $(B)/test/domain/tests/unit/shim_snp.o \
		$(call domain_objs,test,tests/lib/cu.c) $(B)/test/domain/snp_shim.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@
