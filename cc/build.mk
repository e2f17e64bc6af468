# build/lib/libcloister-predict.a: launches predicted on the host, by the hypervisor's own code.

PREDICT_LIB := $(B)/lib/libcloister-predict.a
PREDICT_SRC := $(filter-out hv/domain/load.c hv/domain/builder.c %_arm64.c, \
	$(wildcard hv/domain/*.c)) hv/core/sha256.c hv/dev/acpi.c hv/dev/aml.c cc/snp/snp_vmsa.c \
	$(wildcard cc/snp/host/*.c)
PREDICT_OBJ := $(patsubst %,$(B)/predict/%.o,$(PREDICT_SRC) $(wildcard arch/x86_64/shim/*.S))

$(B)/predict/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -Ihv/include -Iarch/x86_64/include -c -o $@ $<

$(B)/predict/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c -o $@ $<

$(PREDICT_LIB): $(PREDICT_OBJ)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
