/* How a guest finds Xen: CPUID leaves from 40000000h on, and the MSR that writes a hypercall page
 * (public/arch-x86/cpuid.h; docs/misc/pvh.pandoc). */
#include "xenpv.h"

#include "arch/vcpu.h"
#include "hv/string.h"

#define CALL_SIZE 32u /* bytes of a page for each hypercall */
#define HC_IRET   23u /* PV alone */

static uint32_t tsc_khz(void)
{
    uint64_t khz;
    uint32_t mul;
    int8_t shift;

    arch_clock_scale(&mul, &shift);
    khz = (1000000ull << 32) / mul;
    return (uint32_t)(shift < 0 ? khz << -shift : khz >> shift);
}

void xenpv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    switch (leaf) {
    case XEN_LEAF_SIGNATURE:
        out[0] = XEN_LEAF_LAST;
        memcpy(&out[1], "XenVMMXenVMM", 12);
        break;
    case XEN_LEAF_SIGNATURE + 1:
        out[0] = XEN_VERSION;
        break;
    case XEN_LEAF_SIGNATURE + 2:
        out[0] = 1; /* page of hypercalls */
        out[1] = XEN_MSR_PAGE;
        break;
    case XEN_LEAF_SIGNATURE + 3:
        out[2] = sub == 0 ? tsc_khz() : 0;
        break;
    case XEN_LEAF_SIGNATURE + 4:
        if (sub == 0) {
            out[0] = (uint32_t)(XEN_HVM_VCPU_ID | XEN_HVM_DOMID | XEN_HVM_EXT_DEST |
                                XEN_HVM_UPCALL);
            out[1] = v->index;
            out[2] = xenpv_of(v)->domid;
        }
        break;
    default:
        break;
    }
}

/* mov $number, %eax; vmmcall; ret. What is no call of a HVM guest's is an undefined instruction. */
static void write_stub(uint8_t *to, uint32_t number)
{
    uint8_t stub[] = {0xb8, (uint8_t)number, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};

    if (number == HC_IRET) {
        to[0] = 0x0f;
        to[1] = 0x0b;
    } else {
        memcpy(to, stub, sizeof(stub));
    }
}

bool xenpv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    *value = 0;
    return msr == XEN_MSR_PAGE;
}

/* Bits 11:0 are the page's number, and there is one. */
bool xenpv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint8_t stubs[CALL_SIZE * 16];

    if (msr != XEN_MSR_PAGE || value % PAGE_SIZE != 0) {
        return false;
    }
    for (uint32_t at = 0; at < PAGE_SIZE; at += sizeof(stubs)) {
        memset(stubs, 0xcc, sizeof(stubs));
        for (uint32_t i = 0; i < 16 && at / CALL_SIZE + i < HC_COUNT; i++) {
            write_stub(&stubs[i * CALL_SIZE], at / CALL_SIZE + i);
        }
        if (guestmem_write(v->vm, gpa(value + at), stubs, sizeof(stubs)) != ABI_OK) {
            return false;
        }
    }
    return true;
}
