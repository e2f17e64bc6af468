# The SEV-SNP driver (cc/snp): compared with Linux's headers; and with the emulated chip (cc/emu) on
# the fake machine (arch/fake), its contract, attacks on it, fuzzers.

SNP_HEADERS := $(CACHE)/headers-6.12
SNP_LINUX := $(B)/test/snp/linux

# What guests' kernels say about the same things. Without the network it is skipped, loudly.
$(SNP_HEADERS)/release: | $(CACHE)/packages.stamp
	@tools/setup/headers $(CACHE) 6.12 || echo "the kernel's headers cannot be had" >&2

# kvm_host.h has too much around its nested page fault bits.
$(SNP_LINUX)/facts.o: tests/lib/snp_linux_facts.c tests/lib/snp_linux_none.c \
		tests/lib/snp_linux.def | $(SNP_HEADERS)/release
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)if [ -e $(SNP_HEADERS)/release ]; then \
		sed -n '/define PFERR_[A-Z_]*[[:space:]]*BIT/p' \
			$(SNP_HEADERS)/arch/x86/include/asm/kvm_host.h > $(@D)/snp_linux_pferr.h && \
		$(CC) $(filter-out -Iinclude,$(SAN_CFLAGS)) -Wno-unused-parameter \
			-fno-sanitize=all -Itests/lib -I$(@D) \
			-isystem $(SNP_HEADERS)/arch/x86/include \
			-isystem $(SNP_HEADERS)/arch/x86/include/uapi -isystem $(SNP_HEADERS)/include \
			-isystem $(SNP_HEADERS)/include/uapi -c $< -o $@; \
	else $(CC) $(SAN_CFLAGS) -Itests/lib -c tests/lib/snp_linux_none.c -o $@; fi

UNIT_TESTS += $(B)/test/unit-snp_linux
$(B)/test/unit-snp_linux: $(B)/test/emu/tests/unit/snp_linux.o $(B)/test/emu/tests/lib/cu.o \
		$(SNP_LINUX)/facts.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ -lcunit -o $@
