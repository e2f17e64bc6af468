# A medium with GRUB, the hypervisor and a bundle with one default guest.

ISO := $(B)/cloister.iso

$(B)/guest/bundle.dtb: $(CLOISTER) $(RAMDISK) $(CACHE)/kernel-6.12/vmlinuz
	$(call say,BUNDLE,$@)
	$(Q)$(CLOISTER) bundle make --output $@ >/dev/null

$(ISO): tools/iso/mkiso $(B)/cloister.bin $(B)/guest/bundle.dtb
	$(call say,ISO,$@)
	$(Q)tools/iso/mkiso $(B)/cloister.bin $(B)/guest/bundle.dtb $@

.PHONY: iso
iso: $(ISO)
