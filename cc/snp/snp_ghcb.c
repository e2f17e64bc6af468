/* VMGEXIT with a GHCB page: the events of GHCB 4.1. */
#include "arch_impl/insn.h"
#include "hv/call.h"
#include "hv/log.h"
#include "hv/string.h"
#include "snp.h"

#define VALID(g, field) (((g)->valid[GHCB_QUAD(field) / 64] >> GHCB_QUAD(field) % 64 & 1) != 0)
#define SET(g, field, value)                                                                       \
    do {                                                                                           \
        (g)->field = (value);                                                                      \
        (g)->set[GHCB_QUAD(field) / 64] |= BIT(GHCB_QUAD(field) % 64);                             \
    } while (0)

__attribute__((noinline)) static void malformed(struct vcpu *v, struct ghcb_exit *g,
                                                unsigned int why)
{
    log_vm(v->vm, LOG_WARN, "vCPU %u: malformed GHCB (%u), event %lx", v->index, why,
           (unsigned long)g->exit_code);
    SET(g, info1, GHCB_MALFORMED);
    SET(g, info2, why);
}

/* The event is done. */
static void simple(struct ghcb_exit *g, uint64_t info2)
{
    SET(g, info1, 0);
    SET(g, info2, info2);
}

static void raise(struct ghcb_exit *g, unsigned int vector)
{
    SET(g, info1, GHCB_EXCEPTION);
    SET(g, info2,
        vector | EVENT_EXCEPTION | EVENT_VALID | (vector == VEC_GP ? EVENT_HAS_ERROR : 0));
}

/* Leaf Dh alone depends on XCR0, which must be there then. */
__attribute__((noinline)) static bool xcr0_of(struct vcpu *v, const struct ghcb_exit *g,
                                              uint64_t *xcr0)
{
    return VALID(g, xcr0) && snp_ghcb_read(v, GHCB_OFFSET(xcr0), xcr0, sizeof(*xcr0));
}

static void do_cpuid(struct vcpu *v, struct ghcb_exit *g)
{
    uint64_t xcr0 = 0;
    uint32_t out[4];

    if (!VALID(g, rax) || !VALID(g, rcx) ||
        UNLIKELY((uint32_t)g->rax == 0xd && !xcr0_of(v, g, &xcr0))) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    }
    snp_cpuid(v, (uint32_t)g->rax, (uint32_t)g->rcx, xcr0, out);
    SET(g, rax, out[0]);
    SET(g, rbx, out[1]);
    SET(g, rcx, out[2]);
    SET(g, rdx, out[3]);
    simple(g, 0);
}

/* Registers that live in its save area never come here; what does is the platform's. */
static void do_msr(struct vcpu *v, struct ghcb_exit *g)
{
    uint32_t msr = (uint32_t)g->rcx;
    uint64_t value = (uint32_t)g->rax | g->rdx << 32;
    bool write = g->info1 == 1;

    if (!VALID(g, rcx) || g->info1 > 1 || (write && (!VALID(g, rax) || !VALID(g, rdx)))) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    }
    simple(g, 0);
    if (write ? !guest_wrmsr(v, msr, value) : !guest_rdmsr(v, msr, &value)) {
        log_vm(v->vm, LOG_DEBUG, "%s of unknown MSR %x", write ? "write" : "read", msr);
        raise(g, VEC_GP);
    } else if (!write) {
        SET(g, rax, (uint32_t)value);
        SET(g, rdx, value >> 32);
    }
}

/* Is there a scratch area of that many bytes, all in the shared buffer? *at: its offset. */
static bool scratch(struct vcpu *v, struct ghcb_exit *g, uint64_t len, uint64_t *at)
{
    if (!VALID(g, scratch)) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return false;
    }
    *at = g->scratch - snp_vcpu_of(v)->ghcb;
    if (len == 0 || len > GHCB_SHARED_SIZE || *at < GHCB_SHARED_BUFFER ||
        *at > GHCB_SHARED_BUFFER + GHCB_SHARED_SIZE - len) {
        malformed(v, g, GHCB_BAD_SCRATCH);
        return false;
    }
    return true;
}

static bool element(struct vcpu *v, uint64_t info, unsigned int size, uint64_t at)
{
    uint32_t value = UINT32_MAX;

    if ((info & IOIO_IN) != 0) {
        (void)vm_io_read(v->vm, IO_PORT, IOIO_PORT(info), size, &value);
        return snp_ghcb_write(v, at, &value, size);
    }
    value = 0;
    if (!snp_ghcb_read(v, at, &value, size)) {
        return false;
    }
    (void)vm_io_write(v->vm, IO_PORT, IOIO_PORT(info), size, value);
    return true;
}

/* INS and OUTS: SW_EXITINFO2 elements in the scratch area. */
__attribute__((noinline)) static void do_string(struct vcpu *v, struct ghcb_exit *g,
                                                unsigned int size)
{
    uint64_t at, len = MIN(g->info2, (uint64_t)GHCB_SHARED_SIZE + 1) * size;
    const uint64_t info = g->info1;

    if (!scratch(v, g, len, &at)) {
        return;
    }
    simple(g, 0);
    for (uint64_t end = at + len; at < end; at += size) {
        if (!element(v, info, size, at)) {
            malformed(v, g, GHCB_BAD_SCRATCH);
            return;
        }
    }
}

static void do_ioio(struct vcpu *v, struct ghcb_exit *g)
{
    uint64_t info = g->info1;
    unsigned int size = IOIO_SIZE(info);
    uint32_t value = UINT32_MAX;

    if (size != 1 && size != 2 && size != 4) {
        malformed(v, g, GHCB_BAD_INPUT);
        return;
    }
    if (UNLIKELY((info & IOIO_STRING) != 0)) {
        do_string(v, g, size);
        return;
    }
    if ((info & IOIO_IN) != 0) {
        (void)vm_io_read(v->vm, IO_PORT, IOIO_PORT(info), size, &value);
        SET(g, rax, size == 4 ? value : value & (uint32_t)(BIT(size * 8) - 1));
    } else if (!VALID(g, rax)) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    } else {
        value = (uint32_t)g->rax & (size == 4 ? UINT32_MAX : (uint32_t)(BIT(size * 8) - 1));
        (void)vm_io_write(v->vm, IO_PORT, IOIO_PORT(info), size, value);
    }
    simple(g, 0);
}

/* No device of this platform is reached by memory: reads give ones, writes go nowhere. */
static void do_mmio(struct vcpu *v, struct ghcb_exit *g, bool read)
{
    const uint64_t ones = UINT64_MAX;
    uint64_t at;

    if (!scratch(v, g, g->info2 > sizeof(ones) ? 0 : g->info2, &at)) {
        return;
    }
    if (read && !snp_ghcb_write(v, at, &ones, g->info2)) {
        malformed(v, g, GHCB_BAD_SCRATCH);
        return;
    }
    simple(g, 0);
}

/* A kernel that passes on what its processes do says so; without a CPL it speaks for itself. */
static bool from_process(struct vcpu *v, const struct ghcb_exit *g)
{
    uint8_t cpl = 0;

    return (g->valid[0] & BIT(GHCB_CPL / 8)) != 0 &&
           (!snp_ghcb_read(v, GHCB_CPL, &cpl, sizeof(cpl)) || cpl != 0);
}

static void do_vmmcall(struct vcpu *v, struct ghcb_exit *g)
{
    struct call c = {.arg = {g->rdi, g->rsi, g->rdx, g->r10}};

    if (!VALID(g, rax)) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    }
    if (UNLIKELY(from_process(v, g))) {
        raise(g, VEC_UD); /* calls are made at CPL 0 (include/abi/call.def) */
        return;
    }
    SET(g, rax, call_dispatch(v, g->rax, &c));
    SET(g, rdi, c.value[0]);
    SET(g, rsi, c.value[1]);
    SET(g, rdx, c.value[2]);
    simple(g, 0);
}

static void do_guest_request(struct vcpu *v, struct ghcb_exit *g)
{
    uint64_t result;

    if (!snp_guest_request(v, g->info1, g->info2, &result)) {
        malformed(v, g, GHCB_BAD_INPUT);
        return;
    }
    simple(g, result);
}

static void do_ext_guest_request(struct vcpu *v, struct ghcb_exit *g)
{
    uint64_t pages = g->rbx;

    if (!VALID(g, rax) || !VALID(g, rbx)) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    }
    switch (snp_give_certs(v, g->rax, &pages)) {
    case ABI_OK:
        do_guest_request(v, g);
        break;
    case ABI_LIMIT: /* the message is not used up: the guest sends it again */
        SET(g, rbx, pages);
        simple(g, REQUEST_BAD_LENGTH);
        break;
    default:
        malformed(v, g, GHCB_BAD_INPUT);
        break;
    }
}

static void do_ap_creation(struct vcpu *v, struct ghcb_exit *g)
{
    if (AP_REQUEST(g->info1) != AP_DESTROY && !VALID(g, rax)) {
        malformed(v, g, GHCB_MISSING_INPUT);
    } else if (snp_ap_create(v, g->info1, g->info2, g->rax)) {
        simple(g, 0);
    } else {
        raise(g, VEC_GP);
    }
}

static void do_dr7(struct vcpu *v, struct ghcb_exit *g, bool write)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);

    if (write && !VALID(g, rax)) {
        malformed(v, g, GHCB_MISSING_INPUT);
        return;
    }
    simple(g, 0);
    if (write) {
        sv->dr7 = g->rax;
    } else {
        SET(g, rax, sv->dr7);
    }
}

static void rare_event(struct vcpu *v, struct ghcb_exit *g)
{
    switch (g->exit_code) {
    case EXIT_INVD:
    case EXIT_WBINVD:
    case EXIT_MONITOR:
    case EXIT_MWAIT:
        simple(g, 0);
        break;
    case EXIT_RDPMC:
        raise(g, VEC_GP); /* guests have no counters */
        break;
    case EXIT_DR7_READ:
    case EXIT_DR7_WRITE:
        do_dr7(v, g, g->exit_code == EXIT_DR7_WRITE);
        break;
    case NAE_MMIO_READ:
    case NAE_MMIO_WRITE:
        do_mmio(v, g, g->exit_code == NAE_MMIO_READ);
        break;
    case NAE_NMI_COMPLETE:
        v->arch.nmi_masked = false;
        v->arch.events = true;
        simple(g, 0);
        break;
    case NAE_AP_RESET_HOLD:
        simple(g, 1);
        snp_hold(v);
        break;
    case NAE_AP_JUMP_TABLE:
        simple(g, 0); /* SNP guests start APs by AP creation: there is no table */
        break;
    case NAE_GUEST_REQUEST:
        do_guest_request(v, g);
        break;
    case NAE_EXT_GUEST_REQUEST:
        do_ext_guest_request(v, g);
        break;
    case NAE_AP_CREATION:
        do_ap_creation(v, g);
        break;
    case NAE_FEATURES:
        simple(g, GHCB_FEATURES);
        break;
    case NAE_TERMINATE:
        snp_gave_up(v, TERM_SET(g->info1), TERM_CODE(g->info1), g->info2);
        break;
    case NAE_UNSUPPORTED:
        vcpu_end(v, "the guest has no answer to #VC %lx (%lx)", (unsigned long)g->info1,
                 (unsigned long)g->info2);
        break;
    default:
        malformed(v, g, GHCB_BAD_EVENT);
    }
}

static void event(struct vcpu *v, struct ghcb_exit *g)
{
    switch (g->exit_code) {
    case EXIT_MSR:
        do_msr(v, g);
        break;
    case EXIT_IOIO:
        do_ioio(v, g);
        break;
    case EXIT_CPUID:
        do_cpuid(v, g);
        break;
    case EXIT_HLT:
        simple(g, 0);
        v->arch.wait = WAIT_HLT;
        v->arch.events = true;
        break;
    case EXIT_VMMCALL:
        do_vmmcall(v, g);
        break;
    case NAE_PSC:
        simple(g, snp_psc_list(v, g->scratch));
        break;
    default:
        rare_event(v, g);
    }
}

#define GIVEN(field) BIT(GHCB_QUAD(field) % 64)
#define ALWAYS_GIVEN (GIVEN(exit_code) | GIVEN(info1) | GIVEN(info2))

/*
 * One comparison: a usage lies above the versions. Zero is a guest that says none: the decompressor
 * of Linux 6.18 clears with its .bss what it had negotiated.
 */
static bool form_is_ours(uint64_t form)
{
    return LIKELY(form - GHCB_VERSION_MIN <= GHCB_VERSION_MAX - GHCB_VERSION_MIN) || form == 0;
}

/* No reason of 4.1.1 is a version's own: it is an input that is not valid. */
__attribute__((noinline)) static void other_form(struct vcpu *v, struct ghcb_exit *g)
{
    malformed(v, g, GHCB_FORM_USAGE(g->form) != 0 ? GHCB_BAD_USAGE : GHCB_BAD_INPUT);
}

void snp_vmgexit_page(struct vcpu *v, uint64_t ghcb)
{
    struct ghcb_exit g;

    if (snp_vcpu_of(v)->ghcb != ghcb) {
        vcpu_end(v, "VMGEXIT with a GHCB at %lx that it has not registered", (unsigned long)ghcb);
        return;
    }
    if (!snp_ghcb_get(v, &g)) {
        vcpu_end(v, "its GHCB at %lx is not shared memory", (unsigned long)ghcb);
        return;
    }
    if (UNLIKELY(!form_is_ours(g.form))) {
        other_form(v, &g);
    } else if ((g.valid[1] & ALWAYS_GIVEN) != ALWAYS_GIVEN) {
        malformed(v, &g, GHCB_MISSING_INPUT);
    } else {
        event(v, &g);
    }
    if (!snp_ghcb_answer(v, &g)) {
        vcpu_end(v, "its GHCB at %lx is not shared memory any more", (unsigned long)ghcb);
    }
}
