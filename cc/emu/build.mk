# build/cloister-emulated.bin: the image over the model of the chip, in place of the chip.

IMAGES += $(B)/cloister-emulated.bin
CHIP_SRC := $(wildcard cc/emu/*.c cc/emu/$(IMG_ARCH)/*.c)
CHIP_OBJ := $(patsubst %,$(IMG)/%.o,$(CHIP_SRC))
# BearSSL's header wants a <string.h>.
$(CHIP_OBJ): FDT_CFLAGS := -Icc/emu/bearssl -idirafter /usr/include

$(IMG)/emulated0.elf: $(IMG_COMMON) $(CHIP_OBJ) $(IMG)/symbols0.o $(IMG_LDS)
	$(call link_image,-l:libbearssl.a)
$(IMG)/emulated1.elf: $(IMG_COMMON) $(CHIP_OBJ) $(IMG)/symbols-emulated.o $(IMG_LDS)
	$(call link_image,-l:libbearssl.a)

$(B)/cloister-emulated.bin: $(IMG)/emulated1.elf
	$(call say,BIN,$@)
	$(Q)objcopy -O binary $< $@
