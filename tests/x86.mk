# Parts of arch/x86_64 that run anywhere, on a chip that the test plays (tests/lib/x86).

X86 := $(B)/test/x86
X86_INC := -Itests/lib/x86 -Ihv/include -Iarch/include -Iarch/x86_64/include -Itests/lib

UNIT_TESTS += $(B)/test/unit-x86_speculation

$(X86)/%.c.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $(X86_INC) -c $< -o $@

$(X86)/%.S.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(CC) -Iarch/x86_64/include -MMD -MP -c $< -o $@

$(B)/test/unit-x86_speculation: $(patsubst %,$(X86)/%.o, \
		tests/unit/x86_speculation.c tests/lib/cu.c arch/x86_64/virt/speculation.c \
		arch/x86_64/virt/svm_entry.S)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@
