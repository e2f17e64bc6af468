# The emulated SNP chip's certificates, for verifiers and for the host that passes them on.
#
#   build/emu/snp_certs      writes them, the same bytes each time
#   build/emu/snp/           ark.pem ask.pem vcek.pem chain.pem certs.bin ark.spki

EMU_CERTS := $(B)/emu/snp/certs.bin
EMU_CERTS_OBJ := $(patsubst %.c,$(B)/emu/%.o,cc/emu/host/snp_certs.c cc/emu/snp_chip.c \
	cc/emu/emu_crypto.c)

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

# The emulated CCA platform's public key: build/emu/cca/cpak.pem cpak.spki
CCA_KEY := $(B)/emu/cca/cpak.pem
CCA_KEY_OBJ := $(patsubst %.c,$(B)/emu/%.o,cc/emu/host/cca_certs.c cc/emu/cca/cca_cose.c \
	cc/emu/aarch64/monitor/token.c cc/emu/emu_crypto.c)

$(B)/emu/cca_certs: $(CCA_KEY_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $^ -l:libbearssl.a -lcrypto

$(CCA_KEY): $(B)/emu/cca_certs
	@mkdir -p $(@D)
	$(call say,CERTS,$(@D))
	$(Q)$< $(@D)

everything: $(CCA_KEY)
