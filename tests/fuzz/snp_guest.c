/*
 * A hostile SEV-SNP guest: any sequence of VMGEXITs (MSR and page), page state lists, nested page
 * faults, PVALIDATE and VMRUN, against the production driver above the emulated chip. It may only
 * end itself: every page keeps exactly one owner, and all of them come back.
 */
#include "snp_host.h"

#include "hv/page.h"

#include <stdlib.h>
#include <string.h>

#define RESET_AFTER 5000u /* inputs: ids of VMs and ASIDs have seen everything by then */

struct input {
    const uint8_t *p;
    size_t len;
};

static struct vm *vm;
static const uint8_t certs[PAGE_SIZE + 1];

static uint64_t take(struct input *in, size_t n)
{
    uint64_t value = 0;

    n = n < in->len ? n : in->len;
    memcpy(&value, in->p, n);
    in->p += n;
    in->len -= n;
    return value;
}

/* Mostly a page of the guest's RAM, with a low part; now and then anything. */
static uint64_t address(struct input *in)
{
    uint64_t pick = take(in, 2);

    return pick >= 0xf000 ? take(in, 8) : (pick & 0x3ff) << PAGE_SHIFT | (pick >> 12 == 7 ? 8 : 0);
}

static void msr_request(struct input *in, struct vcpu *v)
{
    static const uint16_t known[] = {0, 2, 4, 0x10, 0x12, 0x14, 0x14, 0x80};
    uint8_t pick = (uint8_t)take(in, 1);
    uint64_t info = pick < 0xf8 ? known[pick % ARRAY_SIZE(known)] : take(in, 2) & 0xfff;

    (void)snp_msr(v, info | (address(in) & PAGE_MASK) | (uint64_t)(pick >> 3 & 15) << 52);
}

/* The GHCB page as the input has it, then the VMGEXIT. */
static void page_request(struct input *in, struct vcpu *v)
{
    static const uint64_t codes[] = {0x27, 0x37, 0x72, 0x78, 0x7b, 0x7c, 0x81, 0x89,
                                     NAE_MMIO_READ, NAE_MMIO_WRITE, NAE_NMI_COMPLETE,
                                     NAE_AP_RESET_HOLD, NAE_PSC, NAE_PSC, NAE_GUEST_REQUEST,
                                     NAE_EXT_GUEST_REQUEST, NAE_AP_CREATION, NAE_FEATURES};
    uint8_t pick = (uint8_t)take(in, 1);
    struct snp_vcpu *sv = snp_vcpu_of(v);
    pa_t ignored;

    if (vm_mem_populate(vm, gpa(sv->ghcb), &ignored) != ABI_OK) {
        return;
    }
    snp_ghcb(v)->valid[0] = take(in, 1) == 0 ? 0 : ~0ull;
    snp_ghcb(v)->valid[1] = ~0ull;
    for (unsigned int n = pick >> 6; n > 0; n--) {
        snp_ghcb_set(v, 0x1f8 + take(in, 1) % 63 * 8, take(in, 8));
    }
    snp_ghcb_form(v, pick == 0xff ? 0 : GHCB_VERSION_MIN, pick == 0xfe);
    snp_ghcb_set(v, 0x3a8, pick % 4 == 0 ? address(in) : sv->ghcb + GHCB_SHARED_BUFFER);
    if (pick < 0xf8) {
        snp_event(v, codes[pick % ARRAY_SIZE(codes)], address(in), address(in));
    } else {
        snp_event(v, take(in, 8), take(in, 8), take(in, 8));
    }
}

static void list(struct input *in, struct vcpu *v)
{
    unsigned int n = 1 + (unsigned int)take(in, 1) % 8, cur;
    uint64_t entries[8];
    pa_t ignored;

    for (unsigned int i = 0; i < n; i++) {
        uint8_t bits = (uint8_t)take(in, 1);

        entries[i] = (address(in) & 0x000ffffffffff000ull) | (uint64_t)(bits & 3) << 52 |
                     (uint64_t)(bits >> 2 & 1) << 56 | (bits >> 4);
    }
    if (vm_mem_populate(vm, gpa(snp_vcpu_of(v)->ghcb), &ignored) == ABI_OK) {
        (void)snp_psc(v, entries, n, &cur);
    }
}

static void touch(struct input *in, struct vcpu *v)
{
    uint8_t bits = (uint8_t)take(in, 1);
    uint64_t at = address(in), page = address(in) & PAGE_MASK;
    pa_t to;

    v->arch.vmcb->exit_code = EXIT_NPF;
    v->arch.vmcb->exit_info1 = ((bits & 1) != 0 ? NPF_ENC : 0) | ((bits & 2) != 0 ? NPF_WRITE : 0) |
                               ((bits & 4) != 0 ? NPF_SIZE : 0) | ((bits & 8) != 0 ? NPF_RMP : 0);
    v->arch.vmcb->exit_info2 = at;
    v->arch.encrypted->handle_exit(v);
    if (vm_mem_populate(vm, gpa(page), &to) != ABI_OK) {
        return;
    }
    (void)snp_pvalidate(vm, page, (bits & 16) != 0);
    (void)emu_rmpadjust(to, page, snp_of(vm)->asid, 0, RMP_4K, 1, 0, (bits & 32) != 0);
}

static void act(struct input *in)
{
    uint8_t what = (uint8_t)take(in, 1);
    struct vcpu *v = vm->vcpu[what >> 7];

    switch (what % 8) {
    case 0:
    case 1:
        msr_request(in, v);
        break;
    case 2:
    case 3:
        page_request(in, v);
        break;
    case 4:
    case 5:
        list(in, v);
        break;
    case 6:
        touch(in, v);
        break;
    default:
        snp_run(v);
        fake_advance(1000000);
        break;
    }
}

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static unsigned int inputs;
    static uint64_t pages;

    if (inputs++ % RESET_AFTER == 0) {
        snp_boot(MiB(32));
        vm_destroy(snp_guest(CC_SEV_SNP, 2)); /* what is made once and kept */
        pages = page_count_free();
    }
    vm = snp_guest(CC_SEV_SNP, 2);
    snp_of(vm)->certs = (struct blob){certs, sizeof(certs)};
    snp_ghcb_register(vm->vcpu[0], LAY_FREE);
    snp_ghcb_register(vm->vcpu[1], LAY_FREE + PAGE_SIZE);
    while (in.len > 0 && !snp_ended(vm)) {
        act(&in);
    }
    check(snp_agrees(vm));
    snp_drop(vm);
    check(page_count_free() == pages && vm_count() == 0);
    return 0;
}
