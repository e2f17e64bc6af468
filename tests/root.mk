# Root of a Linux guest, as a static program for its ramdisk: tests/boot/root_test.py.

ROOT := $(B)/guest/root
ROOT_SRC := $(wildcard tests/guest/root/*.c)
$(ROOT): $(ROOT_SRC:%.c=$(B)/tools/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -Wl,--build-id=none -s -o $@ $^

everything: $(ROOT)
