# build/lib/libcloister-predict.a: launches predicted on the host, by the hypervisor's own code.

PREDICT_LIB := $(B)/lib/libcloister-predict.a
PREDICT_SRC := $(filter-out hv/domain/load.c hv/domain/builder.c %_arm64.c, \
	$(wildcard hv/domain/*.c)) hv/core/sha256.c hv/dev/acpi.c hv/dev/aml.c cc/snp/snp_vmsa.c \
	$(wildcard cc/host/*.c cc/snp/host/*.c cc/tdx/host/*.c)
PREDICT_OBJ := $(patsubst %,$(B)/predict/%.o,$(PREDICT_SRC) arch/x86_64/shim/snp_shim.S \
	arch/x86_64/shim/tdx_image.S)
# Layouts of both platforms have the same names: one object, whose only name is what is called.
PREDICT_ARM_SRC := $(filter-out hv/domain/load.c hv/domain/builder.c %_x86.c, \
	$(wildcard hv/domain/*.c)) hv/core/sha256.c \
	$(wildcard cc/host/*.c cc/cca/host/*.c)
PREDICT_ARM := $(B)/predict/realm.o

$(B)/predict/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -Ihv/include -Iarch/x86_64/include \
		-Icc/host -c -o $@ $<

$(B)/predict/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Wa,-I$(B)/image -c -o $@ $<

$(B)/predict/arch/x86_64/shim/tdx_image.S.o: $(B)/image/tdx_shim.bin

$(PREDICT_ARM): $(PREDICT_ARM_SRC:%=$(B)/predict/%.o)
	$(call say,LD,$@)
	$(Q)ld -r -o $@ $^ && objcopy --keep-global-symbol=predict_cca $@

$(PREDICT_LIB): $(PREDICT_OBJ) $(PREDICT_ARM)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
