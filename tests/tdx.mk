# The emulated TDX module (cc/emu/tdx_*) as host programs over tests/lib/tdx_host.c.

TDX_EMU_SRC := $(wildcard cc/emu/tdx_*.c) cc/emu/emu_sha.c cc/emu/emu_crypto.c
TDX_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/tdx_*.c))
TDX_INC := $(EMU_INC)
tdx_objs = $(patsubst %.c,$(B)/$(1)/emu/%.o,$(2))

UNIT_TESTS += $(TDX_UNIT:%=$(B)/test/unit-%)

$(B)/test/unit-tdx_%: $(B)/test/emu/tests/unit/tdx_%.o \
		$(call tdx_objs,test,$(TDX_EMU_SRC) tests/lib/tdx_host.c tests/lib/cu.c) \
		$(B)/lib/libcloister-attest-san.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(filter %.o,$^) $(filter %.a,$^) -lcunit $(EMU_LIBS) $(ATTEST_LIBS) -o $@

# Quotes need their maker and his certificates.
TDX_QUOTE_SRC := $(patsubst %,cc/emu/host/%.c,tdx_quote tdx_keys mint) \
	tests/lib/attest_file.c tests/lib/attest_tdx.c
$(B)/test/unit-tdx_quote: $(call tdx_objs,test,$(TDX_QUOTE_SRC)) | $(B)/emu/tdx/root.pem

# The driver (cc/tdx, but for what knows vCPUs) over that module, on the fake machine.
TDX_DRIVER_SRC := $(patsubst %,cc/tdx/tdx_%.c,status call seamldr tdmr platform td sept ept mem \
	quote)
TDXDRV_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/tdxdrv_*.c))
UNIT_TESTS += $(TDXDRV_UNIT:%=$(B)/test/unit-%)

$(B)/test/unit-tdxdrv_%: $(B)/test/core/tests/unit/tdxdrv_%.o \
		$(call core_objs,test,tests/lib/cu.c tests/lib/tdx_machine.c tests/lib/tdx_cpu.c \
			$(TDX_DRIVER_SRC) $(CORE_LIB) $(CORE_SRC)) \
		$(call tdx_objs,test,$(TDX_EMU_SRC))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ $(CORE_LINK) -lcunit $(EMU_LIBS) -o $@
