/* Any instruction of a PV64 kernel that faults on one of its page tables, with any registers. */
#include "box_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLE 20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *code = host_memory;
    struct frame f;
    uint64_t offset;

    if (size < 2 + sizeof(uint64_t)) {
        return 0;
    }
    host_start(0);
    (void)host_map(TABLE * PAGE_SIZE, host_mfn(TABLE) << PAGE_SHIFT | PTE_P);
    (void)host_extended(MMUEXT_PIN_L1, host_mfn(TABLE), 0);
    offset = (data[0] | data[1] << 8) % PAGE_SIZE;
    memset(&f, 0, sizeof(f));
    memcpy(&f.rax, data + 2, sizeof(f.rax));
    f.rcx = f.rax ^ BIT(1);
    f.rdx = host_mfn(21) << PAGE_SHIFT | (data[0] & 7);
    data += 2 + sizeof(uint64_t);
    size -= 2 + sizeof(uint64_t);
    for (unsigned int i = 0; i < 4 && size > 0; i++) {
        memset(code, 0, 32);
        memcpy(code, data, MIN(size, (size_t)15));
        f.rip = (uint64_t)(uintptr_t)code;
        (void)!emulate_table_write(&host_vcpu, &f, TABLE * PAGE_SIZE + offset);
        if (host_broken() != NULL) {
            panic("%s\n", host_broken());
        }
        data += MIN(size, (size_t)15);
        size -= MIN(size, (size_t)15);
    }
    return 0;
}
