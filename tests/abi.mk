# The guest ABI in other forms, and their tests.

ABI_LISTS := $(wildcard include/abi/*.def) include/abi/const.h
ABI_OUT := $(B)/abi

$(ABI_OUT)/abi.json: $(ABI_LISTS) $(wildcard tools/abi/*.py) tools/abi/abi
	$(call say,ABI,$(ABI_OUT))
	$(Q)tools/abi/abi all $(ABI_OUT)

everything: $(ABI_OUT)/abi.json

# tests/run gives a fuzzer the dictionary that has its name.
$(B)/test/fuzz-core_call: | $(B)/test/fuzz-core_call.dict
$(B)/test/fuzz-core_call.dict: $(ABI_OUT)/abi.json
	@mkdir -p $(@D)
	$(Q)cp $(ABI_OUT)/abi.dict $@
