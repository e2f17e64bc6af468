# The box of PV64 guests (hv/xenpv/box), hosted: its keeping of frames, ELF reader and decoder.

BOX_HOST := $(patsubst %,hv/xenpv/box/%.c,page table descriptor mmu memory elf ptwrite \
	insn) \
	tests/lib/box_host.c
BOX_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/box_*.c))
BOX_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/box_*.c))
BOX_INC := -Ihv/include -Itests/lib -ffreestanding

UNIT_TESTS += $(BOX_UNIT:%=$(B)/test/unit-%)
FUZZERS += $(BOX_FUZZ:%=$(B)/test/fuzz-%)

$(B)/test/box/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(BOX_INC) -c $< -o $@

$(B)/fuzz/box/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)clang $(CORE_FUZZ_CFLAGS) $(BOX_INC) -c $< -o $@

$(B)/test/unit-box_%: $(B)/test/box/tests/unit/box_%.o $(B)/test/box/tests/lib/cu.o \
		$(BOX_HOST:%.c=$(B)/test/box/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

# Without the host's own idea of a TLB.
$(B)/test/unit-box_flush: $(patsubst %,$(B)/test/box/%.o, \
		tests/unit/box_flush tests/lib/cu hv/xenpv/box/flush)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@

# Other calls, which stand on more of the machine: its target has that.
$(B)/test/fuzz-box_calls: $(patsubst %,$(B)/fuzz/box/hv/xenpv/box/%.o, \
	event grant segment trap version)

$(B)/test/fuzz-box_%: $(B)/fuzz/box/tests/fuzz/box_%.o $(BOX_HOST:%.c=$(B)/fuzz/box/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -o $@
