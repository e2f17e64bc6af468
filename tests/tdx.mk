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
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit $(EMU_LIBS) $(ATTEST_LIBS) -o $@
