# Media with GRUB, the hypervisor and a bundle with one default guest.

ISO := $(B)/cloister.iso
ISO_ARM64 := $(B)/cloister-aarch64.iso

$(B)/guest/bundle.dtb: $(CLOISTER) $(RAMDISK) $(CACHE)/kernel-6.12/vmlinuz
	$(call say,BUNDLE,$@)
	$(Q)$(CLOISTER) bundle make --output $@ >/dev/null

$(ISO): tools/iso/mkiso $(B)/cloister.bin $(B)/guest/bundle.dtb
	$(call say,ISO,$@)
	$(Q)tools/iso/mkiso $(B)/cloister.bin $(B)/guest/bundle.dtb $@

$(B)/guest/bundle-aarch64.dtb: $(CLOISTER) $(RAMDISK_ARM64) $(GUEST_KERNELS_ARM64)
	$(call say,BUNDLE,$@)
	$(Q)$(CLOISTER) bundle make --arch aarch64 --output $@ >/dev/null

$(ISO_ARM64): tools/iso/mkiso $(B)/cloister-aarch64.bin $(B)/guest/bundle-aarch64.dtb \
		$(CACHE)/arm64/grub/modinfo.sh
	$(call say,ISO,$@)
	$(Q)tools/iso/mkiso $(B)/cloister-aarch64.bin $(B)/guest/bundle-aarch64.dtb $@ \
		$(CACHE)/arm64/grub

.PHONY: iso
iso: $(ISO) $(ISO_ARM64)
