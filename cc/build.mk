# build/lib/libcloister-predict.a: launches predicted on the host, by the hypervisor's own code.

PREDICT_LIB := $(B)/lib/libcloister-predict.a
PREDICT_SRC := $(filter-out hv/domain/load.c hv/domain/builder.c %_arm64.c, \
	$(wildcard hv/domain/*.c)) hv/dev/acpi.c hv/dev/aml.c cc/snp/snp_vmsa.c \
	$(wildcard cc/host/*.c cc/snp/host/*.c cc/tdx/host/*.c)
PREDICT_OBJ := $(patsubst %,$(B)/predict/%.o,$(PREDICT_SRC) arch/x86_64/shim/snp_shim.S \
	arch/x86_64/shim/tdx_image.S)

$(B)/predict/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -Ihv/include -Iarch/x86_64/include \
		-Icc/host -c -o $@ $<

$(B)/predict/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,-I$(B)/image -c -o $@ $<

$(B)/predict/arch/x86_64/shim/tdx_image.S.o: $(B)/image/tdx_shim.bin

$(PREDICT_LIB): $(PREDICT_OBJ)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
