# The guest ABI in other forms, and their tests.

ABI_LISTS := $(wildcard include/abi/*.def) include/abi/const.h
ABI_OUT := $(B)/abi

$(ABI_OUT)/abi.json: $(ABI_LISTS) $(wildcard tools/abi/*.py) tools/abi/abi
	$(call say,ABI,$(ABI_OUT))
	$(Q)tools/abi/abi all $(ABI_OUT)

everything: $(ABI_OUT)/abi.json

# The headers of released versions, from their dumps: programs of that time are built with them.
ABI_OLD := $(patsubst tests/abi/v%.json,$(ABI_OUT)/%/abi/abi.h,$(wildcard tests/abi/v*.json))
$(ABI_OLD): $(ABI_OUT)/%/abi/abi.h: tests/abi/v%.json tools/abi/abi tools/abi/bindings.py
	$(call say,ABI,$@)
	@mkdir -p $(@D)
	$(Q)tools/abi/abi header $< $@
	$(Q)printf '#include "abi.h"\n' > $(@D)/status.h

# tests/run gives a fuzzer the dictionary that has its name.
$(B)/test/fuzz-core_call: | $(B)/test/fuzz-core_call.dict
$(B)/test/fuzz-core_call.dict: $(ABI_OUT)/abi.json
	@mkdir -p $(@D)
	$(Q)cp $(ABI_OUT)/abi.dict $@
