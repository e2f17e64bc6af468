# What the makers of the emulated chips publish, for verifiers and for hosts that pass it on.
#
#   build/emu/snp_certs      writes them, the same bytes each time
#   build/emu/snp/           ark.pem ask.pem vcek.pem chain.pem certs.bin ark.spki

EMU_CERTS := $(B)/emu/snp/certs.bin
EMU_CERTS_OBJ := $(patsubst %.c,$(B)/emu/%.o,cc/emu/host/snp_certs.c cc/emu/host/mint.c \
	cc/emu/host/panic.c cc/emu/snp_chip.c cc/emu/emu_crypto.c)

$(B)/emu/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -Ihv/include -Iarch/x86_64/include -c -o $@ $<

$(B)/emu/snp_certs: $(EMU_CERTS_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -l:libbearssl.a -lcrypto

$(EMU_CERTS): $(B)/emu/snp_certs
	@mkdir -p $(@D)
	$(call say,CERTS,$(@D))
	$(Q)$< $(@D)

everything: $(EMU_CERTS)

# The emulated TDX platform: build/emu/tdx/ has certificates, CRLs, TCB info and QE identity;
# build/emu/tdx_qgs makes quotes.
TDX_CERTS := $(B)/emu/tdx/root.pem
TDX_QGS := $(B)/emu/tdx_qgs
TDX_MAKER_OBJ := $(patsubst %.c,$(B)/emu/cc/emu/%.o,host/mint.c host/panic.c host/tdx_keys.c \
	tdx_chip.c emu_crypto.c emu_sha.c)
TDX_QUOTE_OBJ := $(B)/emu/cc/emu/host/tdx_quote.o $(TDX_MAKER_OBJ)

$(B)/emu/tdx_certs: $(B)/emu/cc/emu/host/tdx_certs.o $(TDX_MAKER_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -l:libbearssl.a -lcrypto

$(TDX_QGS): $(B)/emu/cc/emu/host/tdx_qgs.o $(TDX_QUOTE_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -l:libbearssl.a -lcrypto

$(TDX_CERTS): $(B)/emu/tdx_certs
	@mkdir -p $(@D)
	$(call say,CERTS,$(@D))
	$(Q)$< $(@D)

everything: $(TDX_CERTS) $(TDX_QGS)

# The emulated CCA platform's public key: build/emu/cca/cpak.pem cpak.spki
CCA_KEY := $(B)/emu/cca/cpak.pem
CCA_KEY_OBJ := $(patsubst %.c,$(B)/emu/cc/emu/%.o,host/cca_certs.c host/panic.c cca/cca_cose.c \
	aarch64/monitor/token.c emu_crypto.c)

$(B)/emu/cca_certs: $(CCA_KEY_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -l:libbearssl.a -lcrypto

$(CCA_KEY): $(B)/emu/cca_certs
	@mkdir -p $(@D)
	$(call say,CERTS,$(@D))
	$(Q)$< $(@D)

everything: $(CCA_KEY)
