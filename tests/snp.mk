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

# The driver as it is, with the core, on the fake machine; the emulated chip below the line.
SNP_INC := -Itests/lib/snp -Ihv/include -Iarch/include -Iarch/fake/include \
	-Iarch/x86_64/include -Iattestation/include -Itests/lib
SNP_DRIVER := $(filter-out cc/snp/snp_hw_x86_64.c,$(wildcard cc/snp/*.c))
SNP_CHIP := $(EMU_SRC) cc/emu/x86_64/snp_hw_emu.c
SNP_HOST := $(wildcard arch/fake/*.c) tests/lib/core_host.c tests/lib/snp_host.c \
	tests/lib/snp_registry.c tests/lib/snp_attack.c
SNP_UNIT := $(filter-out snp_linux,$(patsubst tests/unit/%.c,%,$(wildcard tests/unit/snp_*.c)))
SNP_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/snp_*.c))
SNP_LINK := $(CORE_LINK) -Wl,--wrap=arch_vcpu_init -Wl,--wrap=snp_hw_cpuid
snp_objs = $(patsubst %.c,$(B)/$(1)/snp/%.o,$(2))

UNIT_TESTS += $(SNP_UNIT:%=$(B)/test/unit-%)
SNP_STRESS := $(patsubst tests/stress/%.c,%,$(wildcard tests/stress/snp_*.c))
UNIT_TESTS += $(SNP_STRESS:%=$(B)/test/stress-%)
FUZZERS += $(SNP_FUZZ:%=$(B)/test/fuzz-%)

# $(call snp_product,FOLDER,COMPILER WITH FLAGS,,SOURCES' FOLDER): product code has its own string
# functions, and variables that a reboot puts back. The third is CORE_RENAME's.
define snp_product
$(B)/$(1)/snp/$(4)/%.o: $(4)/%.c tests/lib/core_names.txt
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) -ffreestanding $(SNP_INC) -c $$< -o $$@
	$$(Q)$(CORE_RENAME) $$@
endef
define snp_compile
$(call snp_product,$(1),$(2),,hv/core)

$(call snp_product,$(1),$(2),,cc/snp)

$(call snp_product,$(1),$(2),,cc/tdx)

$(B)/$(1)/snp/%.o: %.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) $(SNP_INC) -c $$< -o $$@
endef
$(eval $(call snp_compile,test,$(CC) $(SAN_CFLAGS) -Wno-clobbered))
$(eval $(call snp_compile,stress,$(CC) $(CORE_TSAN_CFLAGS)))
$(eval $(call snp_compile,fuzz,clang $(CORE_FUZZ_CFLAGS)))

SNP_ALL := $(CORE_SRC) $(SNP_DRIVER) $(SNP_CHIP) $(SNP_HOST)

$(SNP_UNIT:%=$(B)/test/unit-%): $(B)/test/unit-%: $(B)/test/snp/tests/unit/%.o \
		$(call snp_objs,test,tests/lib/cu.c $(SNP_ALL))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ $(SNP_LINK) -lcunit -l:libbearssl.a \
		$(if $(filter %.a,$^),$(ATTEST_LIBS)) -o $@

# It looks at each access to the PSP's registers.
$(B)/test/unit-snp_ring: SNP_LINK += -Wl,--wrap=emu_psp_read -Wl,--wrap=emu_psp_write

# Its ID blocks are made by our own library.
$(B)/test/unit-snp_identity: $(B)/test/emu/tests/lib/emu_id.o $(B)/lib/libcloister-attest-san.a \
		| $(EMU_CERTS)

$(SNP_STRESS:%=$(B)/test/stress-%): $(B)/test/stress-%: $(B)/stress/snp/tests/stress/%.o \
		$(call snp_objs,stress,tests/lib/cu.c $(SNP_ALL))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CORE_TSAN_CFLAGS) $^ $(SNP_LINK) -lcunit -l:libbearssl.a -o $@

$(SNP_FUZZ:%=$(B)/test/fuzz-%): $(B)/test/fuzz-%: $(B)/fuzz/snp/tests/fuzz/%.o \
		$(call snp_objs,fuzz,$(SNP_ALL))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(SNP_LINK) -lcunit -l:libbearssl.a -o $@

# The TDX driver and its module beside it: the contract that all keep.
CC_ALL := $(filter-out tests/lib/snp_registry.c,$(SNP_ALL)) \
	tests/lib/cc_host.c tests/lib/tdx_cpu.c \
	$(filter-out cc/tdx/tdx_hw_x86_64.c,$(wildcard cc/tdx/*.c)) $(wildcard cc/emu/tdx_*.c)
CC_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/cc_*.c))
UNIT_TESTS += $(CC_UNIT:%=$(B)/test/unit-%)
$(CC_UNIT:%=$(B)/test/unit-%): $(B)/test/unit-%: $(B)/test/snp/tests/unit/%.o \
		$(call snp_objs,test,tests/lib/cu.c $(CC_ALL))
	$(call say,LINK,$@)
	$(Q)$(CC) $(SAN_CFLAGS) $^ $(SNP_LINK) -lcunit -l:libbearssl.a \
		$(if $(filter %.a,$^),$(ATTEST_LIBS)) -o $@

$(B)/test/unit-cc_tdx_firmware: $(B)/lib/libcloister-attest-san.a \
		$(call snp_objs,test,$(patsubst %,hv/domain/%.c,layout tdvf_x86 shim_x86 text))

CC_FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/cc_*.c))
FUZZERS += $(CC_FUZZ:%=$(B)/test/fuzz-%)
$(CC_FUZZ:%=$(B)/test/fuzz-%): $(B)/test/fuzz-%: $(B)/fuzz/snp/tests/fuzz/%.o \
		$(call snp_objs,fuzz,$(CC_ALL))
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ $(SNP_LINK) -lcunit -l:libbearssl.a -o $@
