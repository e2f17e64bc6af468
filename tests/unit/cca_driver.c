/*
 * The CCA driver's contract, against the test RMM on a host: whichever RMI call fails while a realm
 * is made, launched or takes a fault, all memory is back when it is destroyed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../cc/cca/cca.h"
#include "arch/boot.h"
#include "cca_host.h"
#include "cu.h"
#include "hv/log.h"
#include "hv/page.h"

#define RAM       (2 * SIZE_2M)
#define RAM_FIRST 1024u /* the guest's pages: two blocks of 2 MiB */
#define RAM_PAGES 1024u

_Thread_local char fake_cpu;
static enum page_state state[CCA_HOST_PAGES];
static struct vm vm;
static struct vcpu vcpus[2];
static uint32_t chunks[2];
static unsigned int calls, fail_at, blocks, lost;
static uint64_t failed; /* which command */
static bool ended, newer;
static char said[200]; /* the last line of the log */

/* ---- the machine and the core, as far as the driver asks ---- */

void *test_hva(uint64_t at)
{
    CU_ASSERT_FALSE(cca_is_realm(ALIGN_DOWN(at, PAGE_SIZE))); /* the machine would fault */
    return (uint8_t *)cca_bytes(ALIGN_DOWN(at, PAGE_SIZE)) + at % PAGE_SIZE;
}

uint64_t test_pa(const void *hva)
{
    return CCA_HOST_BASE + (uint64_t)((const uint8_t *)hva - (uint8_t *)cca_bytes(CCA_HOST_BASE));
}

void cca_hw_smc(struct cca_call *c)
{
    if (++calls == fail_at) {
        failed = c->x[0];
        *c = (struct cca_call){{RMI_ERROR_INPUT}};
        return;
    }
    if (newer && c->x[0] == RMI_VERSION) {
        *c = (struct cca_call){{RMI_ERROR_INPUT, 0x20000, 0x20000}};
        return;
    }
    cca_last = (struct rmi_call){{0}};
    memcpy(cca_last.x, c->x, sizeof(c->x));
    rmm_rmi(&cca_last);
    memcpy(c->x, cca_last.x, sizeof(c->x));
}

bool cca_hw_has_rme(void)
{
    return true;
}

static unsigned int number(pa_t at)
{
    return (unsigned int)((at.v - CCA_HOST_BASE) / PAGE_SIZE);
}

bool page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *at)
{
    (void)owner;
    CU_ASSERT_EQUAL_FATAL(order, 0);
    for (unsigned int i = 0; i < RAM_FIRST; i++) {
        if (state[i] == PAGE_FREE) {
            state[i] = as;
            *at = pa(cca_page(i));
            memset(cca_bytes(at->v), 0, PAGE_SIZE);
            return true;
        }
    }
    return false;
}

void page_free(pa_t at, enum page_state was, uint16_t owner)
{
    (void)owner;
    CU_ASSERT_EQUAL(state[number(at)], was);
    CU_ASSERT_FALSE(cca_is_realm(at.v));
    state[number(at)] = PAGE_FREE;
}

enum page_state page_state_of(pa_t at)
{
    return state[number(at)];
}

enum abi_status page_move(pa_t at, unsigned int order, enum page_state from, enum page_state to,
                          uint16_t owner)
{
    (void)owner;
    for (unsigned int i = 0; i < 1u << order; i++) {
        if (state[number(at) + i] != from) {
            return ABI_BAD_STATE;
        }
    }
    for (unsigned int i = 0; i < 1u << order; i++) {
        CU_ASSERT_FALSE(cca_is_realm(at.v + i * (uint64_t)PAGE_SIZE)); /* never in that moment */
        state[number(at) + i] = to;
    }
    return ABI_OK;
}

void *vm_alloc(struct vm *v, size_t size)
{
    (void)size;
    return vm_alloc_page(v);
}

void *vm_alloc_page(struct vm *v)
{
    pa_t at;

    blocks += page_alloc(0, PAGE_HV, v->id, &at);
    return cca_bytes(at.v);
}

enum abi_status page_return(pa_t at, unsigned int order, uint16_t owner)
{
    return page_move(at, order, PAGE_PRIVATE, PAGE_GUEST, owner);
}

uint64_t vm_memory(const struct vm *v)
{
    (void)v;
    return RAM;
}

gpa_t vm_chunk_gpa(const struct vm *v, uint64_t index)
{
    (void)v;
    return gpa(index * SIZE_2M);
}

pa_t vm_chunk_pa(const struct vm *v, uint64_t index)
{
    return pa((uint64_t)(v->chunks[index] & ~CHUNK_POPULATED) << PAGE_SHIFT);
}

void vm_chunk_lose(struct vm *v, uint64_t index)
{
    (void)(v->chunks + index);
    lost++;
}

enum abi_status vm_mem_populate(struct vm *v, gpa_t at, pa_t *to)
{
    if (at.v >= RAM) {
        return ABI_BAD_ADDRESS;
    }
    v->chunks[at.v / SIZE_2M] |= CHUNK_POPULATED;
    *to = pa(cca_page(RAM_FIRST) + at.v);
    return ABI_OK;
}

enum abi_status vm_mem_populate_private(struct vm *v, gpa_t at, make_private_fn *make, pa_t *to)
{
    bool was = at.v < RAM && (v->chunks[at.v / SIZE_2M] & CHUNK_POPULATED) != 0;
    enum abi_status st = vm_mem_populate(v, at, to);

    if (st == ABI_OK && !was) {
        /* As in the core: what the technology cannot take stays shared. */
        (void)make(v, gpa(ALIGN_DOWN(at.v, SIZE_2M)),
                   pa(cca_page(RAM_FIRST) + ALIGN_DOWN(at.v, SIZE_2M)));
    }
    return st;
}

void vm_dev_lock(struct vm *v)
{
    (void)v;
}

void vm_dev_unlock(struct vm *v)
{
    (void)v;
}

void vm_end(struct vm *v, enum vm_cause cause, const char *fmt, ...)
{
    (void)v;
    (void)cause;
    (void)fmt;
    ended = true;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list list;

    (void)level;
    va_start(list, fmt);
    vsnprintf(said, sizeof(said), fmt, list);
    va_end(list);
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
    v->requests |= bits;
}

unsigned int vgic_lend(struct vcpu *v, uint64_t *lr, unsigned int n)
{
    (void)v;
    (void)n;
    lr[0] = BIT(62) | BIT(60) | 27;
    return 1;
}

void vgic_give_back(struct vcpu *v, const uint64_t *lr, unsigned int n)
{
    (void)v;
    CU_ASSERT(n == 1 && (lr[0] & 0xff) == 27);
}

void vgic_send_sgi(struct vcpu *v, uint64_t value)
{
    (void)v;
    (void)value;
}

void vtimer_told(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    (void)v;
    (void)(a + b + c + d);
}

void vtimer_lines(struct vcpu *v)
{
    (void)v;
}

void gic_take(void)
{
}

bool guest_device_access(struct vcpu *v, uint64_t at, bool write, unsigned int size,
                         uint64_t *value)
{
    (void)v;
    (void)(at + write + size);
    *value = 0x5a;
    return true;
}

bool buf_hold(struct vm *v, gpa_t at, uint64_t len)
{
    (void)v;
    (void)(at.v + len);
    return true;
}

void buf_let_go(struct vm *v)
{
    (void)v;
}

bool vm_mem_there(const struct vm *v, gpa_t at, pa_t *to)
{
    (void)v;
    (void)at;
    (void)to;
    return false;
}

bool pt_lookup(const struct pt *t, uint64_t va, pa_t *to, unsigned int *attr, unsigned int *level)
{
    (void)t;
    (void)va;
    (void)to;
    (void)attr;
    (void)level;
    return false;
}

void guest_vendor_call(struct vcpu *v, uint64_t *x)
{
    (void)v;
    x[0] = 0;
}

/* ---- a realm's life ---- */

static void reset(void)
{
    cca_host_reset();
    rmm_realm_reset();
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        state[i] = i >= RAM_FIRST && i < RAM_FIRST + RAM_PAGES ? PAGE_GUEST : PAGE_FREE;
    }
    for (unsigned int i = 0; i < 2; i++) {
        chunks[i] = (uint32_t)((cca_page(RAM_FIRST) + i * SIZE_2M) >> PAGE_SHIFT);
    }
    vm.id = 3;
    vm.ram_low = RAM;
    vm.vcpus = 2;
    vm.ops = &cc_cca_ops;
    calls = fail_at = blocks = lost = 0;
    vm.chunks = chunks;
    ended = false;
    for (unsigned int i = 0; i < 2; i++) {
        vcpus[i].vm = &vm;
        vcpus[i].index = i;
        vm.vcpu[i] = &vcpus[i];
    }
    CU_ASSERT(cc_cca_ops.start());
}

static enum abi_status make(void)
{
    static const uint8_t image[3 * PAGE_SIZE] = {1, 2, 3};
    struct layout l = {.pieces = 1,
                       .piece = {{PIECE_KERNEL, 0x2000, 0x4000, image, sizeof(image) - 100}},
                       .entry = {.rip = 0x2000}};
    enum abi_status st = cc_cca_ops.vm_create(&vm, NULL);

    for (unsigned int i = 0; i < 2 && st == ABI_OK; i++) {
        st = cc_cca_ops.vcpu_create(&vcpus[i]);
    }
    return st == ABI_OK ? cc_cca_ops.launch(&vm, &l) : st;
}

/* The realm touches the other block; runs; and shares a page that the host then maps. */
static enum abi_status live(void)
{
    enum abi_status st = cca_fault_private(&vm, SIZE_2M + 0x5000);

    st = st == ABI_OK ? cca_fault_private(&vm, 0x1000) : st;
    if (st == ABI_OK) {
        cca_run(&vcpus[0]);
    }
    return st;
}

static unsigned int not_back(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        bool ram = i >= RAM_FIRST && i < RAM_FIRST + RAM_PAGES;

        n += ram ? state[i] != PAGE_GUEST : state[i] != PAGE_FREE;
    }
    return n - blocks;
}

static void a_realm_lives_and_leaves_nothing_behind(void)
{
    reset();
    CU_ASSERT_EQUAL(make(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_FALSE(ended);
    CU_ASSERT(cca_realm_pages() > 512);
    cc_cca_ops.vm_destroy(&vm);
    CU_ASSERT_EQUAL(cca_realm_pages(), 0);
    CU_ASSERT_EQUAL(not_back(), 0);
}

/* The first two calls are the platform's. A launch that misses one of its own has failed. */
static void whichever_call_fails_nothing_is_lost(void)
{
    unsigned int total, launched;

    reset();
    CU_ASSERT_EQUAL(make(), ABI_OK);
    launched = calls;
    CU_ASSERT_EQUAL(live(), ABI_OK);
    total = calls;
    cc_cca_ops.vm_destroy(&vm);
    for (unsigned int n = 3; n <= total; n++) {
        enum abi_status st;

        reset();
        fail_at = n;
        st = make();
        st = st == ABI_OK ? live() : st;
        CU_ASSERT(n > launched || st != ABI_OK || failed == RMI_RTT_FOLD);
        fail_at = 0;
        cc_cca_ops.vm_destroy(&vm);
        if (cca_realm_pages() != 0 || not_back() != 0) {
            printf("call %u: %u pages are the RMM's, %u not back\n", n, cca_realm_pages(),
                   not_back());
            CU_FAIL("a page was lost");
            return;
        }
    }
    CU_ASSERT(launched > 1024 && total > launched + 1024);
}

/* ---- what the realm shares ---- */

#define ESR_SMC (0x17ull << 26)
static struct {
    uint64_t base, top, ripas;
    bool asked;
} wish;

static enum port_exit asks_once(struct rec *rec)
{
    if (wish.asked) {
        return PORT_IRQ;
    }
    wish.asked = true;
    rec->gprs[0] = RSI_IPA_STATE_SET;
    rec->gprs[1] = wish.base;
    rec->gprs[2] = wish.top;
    rec->gprs[3] = wish.ripas;
    rec->gprs[4] = RSI_CHANGE_DESTROYED;
    rec->cpu.esr = ESR_SMC;
    return PORT_SYNC;
}

/* Until the realm has its answer; how far the change went. */
static uint64_t change(uint64_t base, uint64_t top, uint64_t ripas)
{
    const struct rec *rec;

    wish.base = base;
    wish.top = top;
    wish.ripas = ripas;
    wish.asked = false;
    cca_script = asks_once;
    cca_run(&vcpus[0]);
    cca_run(&vcpus[0]);
    cca_script = NULL;
    rec = cca_bytes(cca_vcpu_of(&vcpus[0])->rec.v);
    return rec->gprs[1];
}

static unsigned int realm_pages_of_chunk(unsigned int chunk)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < 512; i++) {
        n += cca_is_realm(cca_page(RAM_FIRST + chunk * 512 + i));
    }
    return n;
}

static unsigned int level_of(uint64_t ipa)
{
    CU_ASSERT(rmi_ok(rmi(RMI_RTT_READ_ENTRY, cca_of(&vm)->rd.v, ipa, 3, 0)));
    return (unsigned int)cca_last.x[1];
}

static void what_was_never_shared_is_not_mapped_for_the_realm(void)
{
    reset();
    CU_ASSERT_EQUAL(make(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | 0x2000), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | 0x9000), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | RAM), ABI_BAD_ADDRESS);
    cc_cca_ops.vm_destroy(&vm);
    CU_ASSERT_EQUAL(not_back(), 0);
}

static void memory_is_mapped_by_2_mib_until_a_page_of_it_is_shared(void)
{
    reset();
    CU_ASSERT_EQUAL(make(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(level_of(0x2000), 2);
    CU_ASSERT_EQUAL(level_of(SIZE_2M), 2);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x9000, SIZE_2M + 0xb000, RIPAS_EMPTY), SIZE_2M + 0xb000);
    CU_ASSERT_EQUAL(level_of(SIZE_2M), 3);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 510);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | (SIZE_2M + 0x9000)), 3);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x9000, SIZE_2M + 0xb000, RIPAS_RAM), SIZE_2M + 0xb000);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | (SIZE_2M + 0x8000)), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(cca_fault_private(&vm, SIZE_2M + 0x9000), ABI_OK);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 511);
    cc_cca_ops.vm_destroy(&vm);
    CU_ASSERT_EQUAL(not_back() + lost, 0);
}

static void a_whole_block_is_shared_and_comes_back_as_one(void)
{
    reset();
    CU_ASSERT_EQUAL(make(), ABI_OK);
    CU_ASSERT_EQUAL(live(), ABI_OK);
    CU_ASSERT_EQUAL(change(SIZE_2M, 2 * SIZE_2M, RIPAS_EMPTY), 2 * SIZE_2M);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 0);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | SIZE_2M), 2);
    CU_ASSERT_EQUAL(change(SIZE_2M + 0x1000, SIZE_2M + 0x2000, RIPAS_RAM), SIZE_2M + 0x2000);
    CU_ASSERT_EQUAL(cca_fault_private(&vm, SIZE_2M + 0x1000), ABI_OK);
    CU_ASSERT_EQUAL(realm_pages_of_chunk(1), 1);
    CU_ASSERT_EQUAL(cca_fault_shared(&vm, CCA_SHARED_BIT | (SIZE_2M + 0x9000)), ABI_OK);
    CU_ASSERT_EQUAL(level_of(CCA_SHARED_BIT | (SIZE_2M + 0x9000)), 3);
    cc_cca_ops.vm_destroy(&vm);
    CU_ASSERT_EQUAL(not_back() + lost, 0);
}

static void an_rmm_of_another_revision_is_refused_by_its_number(void)
{
    reset();
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "RMI 1.0, 48 bits"));
    newer = true;
    CU_ASSERT_FALSE(cc_cca_ops.start());
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "this RMM speaks RMI 2.0 to 2.0, not 1.0"));
    newer = false;
}

static const struct cu_test tests[] = {
    CU(a_realm_lives_and_leaves_nothing_behind),
    CU(whichever_call_fails_nothing_is_lost),
    CU(what_was_never_shared_is_not_mapped_for_the_realm),
    CU(memory_is_mapped_by_2_mib_until_a_page_of_it_is_shared),
    CU(a_whole_block_is_shared_and_comes_back_as_one),
    CU(an_rmm_of_another_revision_is_refused_by_its_number),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_driver", tests, argc, argv);
}
