# Attacks that are seen from inside a guest: tests/attack/README.md.

comma := ,
ATTACK_GUEST := $(GUEST)/snp_attack.bz
ATTACK_IMAGE := $(B)/cloister-hostile.bin

$(GUEST)/attack/%.c.o: tests/attack/%.c tests/guest_attack.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUEST)/attack/%.S.o: tests/attack/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) -Itools/unikernel -MMD -MP -c -o $@ $<

$(GUEST)/snp_attack.elf: $(GUEST)/attack/header.S.o $(GUEST)/attack/guest.c.o tests/attack/link.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,--no-warn-rwx-segments -Wl,-T,tests/attack/link.ld -o $@ $(filter %.o,$^)

$(ATTACK_GUEST): $(GUEST)/snp_attack.elf
	$(Q)objcopy -O binary $< $@

$(IMG)/hostile.elf: $(IMG_COMMON) $(CHIP_OBJ) $(IMG)/symbols0.o $(IMG)/tests/attack/hostile.c.o \
		$(IMG_LDS)
	$(call link_image,-l:libbearssl.a -Wl$(comma)--wrap=snp_vmgexit_msr -Wl$(comma)--wrap=snp_fault)

$(ATTACK_IMAGE): $(IMG)/hostile.elf
	$(call say,BIN,$@)
	$(Q)objcopy -O binary $< $@

check: $(ATTACK_GUEST) $(ATTACK_IMAGE)
