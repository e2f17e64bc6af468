#include "cca_driver.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/boot.h"
#include "cu.h"
#include "hv/log.h"
#include "hv/page.h"

_Thread_local char fake_cpu;
static enum page_state state[CCA_HOST_PAGES];
static uint32_t chunks[2];
static unsigned int blocks; /* pages of the VM's own */
struct vm drv_vm;
struct vcpu drv_vcpu[2];
struct drv drv;

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
    struct rmi_call call = {{0}};

    if (++drv.calls == drv.fail_at || drv.calls == drv.fail_too || c->x[0] == drv.refuse) {
        drv.failed = c->x[0];
        drv.refused += c->x[0] == drv.refuse;
        *c = (struct cca_call){{RMI_ERROR_INPUT}};
        return;
    }
    if (drv.newer && c->x[0] == RMI_VERSION) {
        *c = (struct cca_call){{RMI_ERROR_INPUT, 0x20000, 0x20000}};
        return;
    }
    memcpy(call.x, c->x, sizeof(c->x));
    rmm_rmi(&call);
    cca_last = call;
    memcpy(c->x, call.x, sizeof(c->x));
}

bool cca_hw_has_rme(void)
{
    return true;
}

/* Blocks that left as one come back as one, unless they were cut before. */
static bool whole[CCA_HOST_PAGES / 512 + 1];

bool arch_map_cut(pa_t at)
{
    bool *w = &whole[at.v / SIZE_2M - CCA_HOST_BASE / SIZE_2M];

    if (*w && drv.no_tables) {
        return false;
    }
    *w = false;
    return true;
}

static void watch(pa_t at, unsigned int order, bool leaves)
{
    bool *w = &whole[at.v / SIZE_2M - CCA_HOST_BASE / SIZE_2M];

    CU_ASSERT(leaves || order == ORDER_2M || !*w);
    *w = order == ORDER_2M ? leaves : *w;
}

static unsigned int number(pa_t at)
{
    return (unsigned int)((at.v - CCA_HOST_BASE) / PAGE_SIZE);
}

bool page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *at)
{
    (void)owner;
    CU_ASSERT_EQUAL_FATAL(order, 0);
    if (++drv.allocs == drv.fail_alloc) {
        return false;
    }
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
    watch(at, order, to == PAGE_PRIVATE || to == PAGE_CHIP);
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

    if (!page_alloc(0, PAGE_HV, v->id, &at)) {
        return NULL;
    }
    blocks++;
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

bool vm_chunk_used(const struct vm *v, uint64_t index)
{
    return (v->chunks[index] & CHUNK_FLAGS) != 0;
}

pa_t vm_chunk_pa(const struct vm *v, uint64_t index)
{
    return pa((uint64_t)(v->chunks[index] & ~CHUNK_FLAGS) << PAGE_SHIFT);
}

void vm_chunk_lose(struct vm *v, uint64_t index)
{
    (void)(v->chunks + index);
    drv.lost++;
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

static unsigned int kept_of(uint64_t chunk)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < 512; i++) {
        n += state[RAM_FIRST + chunk * 512 + i] != PAGE_GUEST;
    }
    return n;
}

enum abi_status vm_mem_populate_private(struct vm *v, gpa_t at, make_private_fn *make, pa_t *to)
{
    bool was = at.v < RAM && (v->chunks[at.v / SIZE_2M] & CHUNK_POPULATED) != 0;
    enum abi_status st = vm_mem_populate(v, at, to);

    if (st == ABI_OK && !was) {
        /* As in the core: what the technology cannot take stays shared, if it has it back. */
        st = make(v, gpa(ALIGN_DOWN(at.v, SIZE_2M)),
                  pa(cca_page(RAM_FIRST) + ALIGN_DOWN(at.v, SIZE_2M)));
        st = kept_of(at.v / SIZE_2M) == 0 ? ABI_OK : st;
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
    va_list list;

    (void)v;
    (void)cause;
    drv.ended = true;
    va_start(list, fmt);
    vsnprintf(drv.why, sizeof(drv.why), fmt, list);
    va_end(list);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list list;

    (void)level;
    va_start(list, fmt);
    vsnprintf(drv.said, sizeof(drv.said), fmt, list);
    va_end(list);
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
    v->requests |= bits;
}

unsigned int vgic_lend(struct vcpu *v, uint64_t *lr, unsigned int n, bool *more)
{
    (void)v;
    (void)n;
    *more = drv.more_irqs;
    lr[0] = BIT(62) | BIT(60) | 27;
    return 1;
}

void vgic_give_back(struct vcpu *v, const uint64_t *lr, unsigned int n)
{
    void (*then)(void) = v == &drv_vcpu[1] ? drv.after_second : NULL;

    CU_ASSERT(n == 1 && (lr[0] & 0xff) == 27);
    if (then != NULL) {
        drv.after_second = NULL;
        then();
    }
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
    (void)(write + size);
    drv.device = at;
    *value = 0x5a;
    return true;
}

bool buf_hold(struct vm *v, gpa_t at, uint64_t len)
{
    (void)v;
    (void)(at.v + len);
    return !drv.registered;
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
    drv.called = x[0];
    memcpy(drv.arg, &x[1], sizeof(drv.arg));
    x[1] = x[0] + 1;
    x[0] = 0;
}

void drv_reset(void)
{
    cca_host_reset();
    rmm_realm_reset();
    memset(&drv_vm, 0, sizeof(drv_vm));
    memset(drv_vcpu, 0, sizeof(drv_vcpu));
    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        state[i] = i >= RAM_FIRST && i < RAM_FIRST + RAM_PAGES ? PAGE_GUEST : PAGE_FREE;
    }
    for (unsigned int i = 0; i < 2; i++) {
        chunks[i] = (uint32_t)((cca_page(RAM_FIRST) + i * SIZE_2M) >> PAGE_SHIFT);
    }
    drv_vm.id = 3;
    drv_vm.ram_low = RAM;
    drv_vm.vcpus = 2;
    drv_vm.ops = &cc_cca_ops;
    drv = (struct drv){0};
    memset(whole, 0, sizeof(whole));
    blocks = 0;
    drv_vm.chunks = chunks;
    for (unsigned int i = 0; i < 2; i++) {
        drv_vcpu[i].vm = &drv_vm;
        drv_vcpu[i].index = i;
        drv_vm.vcpu[i] = &drv_vcpu[i];
    }
    CU_ASSERT(cc_cca_ops.start());
}

enum abi_status drv_launch(void)
{
    static uint8_t image[IMAGE_LEN];
    struct layout l = {.pieces = 1,
                       .piece = {{PIECE_KERNEL, IMAGE_AT, 0x4000, image, sizeof(image)}},
                       .entry = {.rip = IMAGE_AT, .boot_data = 0x77}};
    enum abi_status st = cc_cca_ops.vm_create(&drv_vm, NULL);

    memset(image, IMAGE_BYTE, sizeof(image));

    for (unsigned int i = 0; i < 2 && st == ABI_OK; i++) {
        st = cc_cca_ops.vcpu_create(&drv_vcpu[i]);
    }
    return st == ABI_OK ? cc_cca_ops.launch(&drv_vm, &l) : st;
}

unsigned int drv_exposed(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        n += cca_is_realm(cca_page(i)) && state[i] != PAGE_PRIVATE && state[i] != PAGE_CHIP;
    }
    return n;
}

unsigned int drv_not_back(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        bool ram = i >= RAM_FIRST && i < RAM_FIRST + RAM_PAGES;

        n += ram ? state[i] != PAGE_GUEST : state[i] != PAGE_FREE;
    }
    return n - blocks;
}
