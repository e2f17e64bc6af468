#include "tdx_machine.h"

#include <stdio.h>
#include <string.h>

#include "core_host.h"
#include "hv/page.h"

#define OWNER 7u

static uint64_t free_at_start;

void *emu_mem(pa_t at)
{
    return at.v < FAKE_SPAN ? (void *)(arch_map_for_silicon() + at.v) : NULL;
}

void emu_fpu_begin(void)
{
}

void emu_fpu_end(void)
{
}

bool tdx_hw_find(struct tdx_hw_keys *keys)
{
    *keys = (struct tdx_hw_keys){EMU_TDX_KEY_FIRST, EMU_TDX_KEYS - EMU_TDX_KEY_FIRST,
                                 EMU_TDX_KEY_SHIFT};
    return true;
}

void machine_boot(const struct boot_range *ram, unsigned int count)
{
    struct emu_tdx_machine m = {.lps = 4, .packages = 2, .cmrs = count};

    fake_ram(ram, count);
    boot_info.low = (struct boot_range){PAGE_SIZE, PAGE_SIZE};
    boot_info.image = (struct boot_range){MiB(2), KiB(260)};
    for (unsigned int i = 0; i < count; i++) {
        m.cmr[i].base = ram[i].base;
        m.cmr[i].size = ram[i].len;
    }
    core_boot_map(4, 4);
    memset(&tdx_platform, 0, sizeof(tdx_platform));
    emu_tdx_reset(&m);
}

void machine_ready(uint64_t memory)
{
    const struct boot_range ram[] = {
        {0, KiB(636)},
        {MiB(1), MIN(memory, GiB(3)) - MiB(1)},
        {GiB(4), memory - MIN(memory, GiB(3))},
    };

    machine_boot(ram, memory > GiB(3) ? 3 : 2);
    REQUIRE(tdx_platform_start());
    free_at_start = page_count_free();
    emu_tdx_fault_reset();
}

int64_t machine_leaked(void)
{
    return (int64_t)(free_at_start - page_count_free());
}

void machine_params(struct tdx_td_params *p)
{
    *p = (struct tdx_td_params){
        .attributes = TD_ATTR_SEPT_VE_DISABLE,
        .xfam = tdx_platform.xfam1,
        .max_vcpus = 4,
        .eptp_controls = TD_EPTP_4_LEVELS,
        .config_flags = TD_CONFIG_NO_RBP_MOD,
        .tsc_frequency = 100,
    };
}

static enum abi_status add_pages(struct machine_td *m, unsigned int added)
{
    enum abi_status st = ABI_OK;
    pa_t source;

    if (!page_alloc(ORDER_4K, PAGE_HV, OWNER, &source)) {
        return ABI_NO_MEMORY;
    }
    for (; m->added < added && st == ABI_OK; m->added++) {
        pa_t at = pa(m->ram.v + m->added * PAGE_SIZE);

        REQUIRE(page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, OWNER) == ABI_OK);
        st = tdx_sept_add(&m->td, m->added * PAGE_SIZE, at, source);
        st = st == ABI_OK ? tdx_sept_measure(&m->td, m->added * PAGE_SIZE) : st;
    }
    page_free(source, PAGE_HV, OWNER);
    return st;
}

static enum abi_status aug_pages(struct machine_td *m, unsigned int late)
{
    enum abi_status st = ABI_OK;

    for (; m->late < late && st == ABI_OK; m->late++) {
        pa_t at = pa(m->ram.v + (1 + m->late) * SIZE_2M);

        REQUIRE(page_move(at, ORDER_2M, PAGE_GUEST, PAGE_PRIVATE, OWNER) == ABI_OK);
        st = tdx_sept_aug(&m->td, SIZE_1G + m->late * SIZE_2M, at, TDX_2M);
    }
    return st;
}

enum abi_status machine_td(struct machine_td *m, unsigned int added, unsigned int late)
{
    struct tdx_td_params p;
    enum abi_status st;

    memset(m, 0, sizeof(*m));
    m->td.name = "guest";
    m->td.owner = OWNER;
    m->blocks = 1 + late;
    REQUIRE(late < 8 && page_alloc(12, PAGE_GUEST, OWNER, &m->ram));
    machine_params(&p);
    st = tdx_td_create(&m->td, &p);
    st = st == ABI_OK ? tdx_td_vcpu(&m->td, &m->tdvpr) : st;
    st = st == ABI_OK ? tdx_td_vcpu_init(&m->td, m->tdvpr, 0) : st;
    lock(&m->td.lock);
    st = st == ABI_OK ? add_pages(m, added) : st;
    st = st == ABI_OK ? tdx_td_finalize(&m->td) : st;
    st = st == ABI_OK ? aug_pages(m, late) : st;
    unlock(&m->td.lock);
    return st;
}

/* What the module has of that block goes back, whole or page by page. */
static void reclaim_block(struct machine_td *m, uint64_t base)
{
    const struct tdx_pamt *big = tdx_pamt_of(base, TDX_2M);
    uint64_t step = big->type != TDX_PT_NDA ? SIZE_2M : PAGE_SIZE;

    REQUIRE(step == SIZE_2M || arch_map_cut(pa(base)));
    for (uint64_t at = base; at < base + SIZE_2M; at += step) {
        bool owned = (step == SIZE_2M ? big : tdx_pamt_of(at, TDX_4K))->type != TDX_PT_NDA;

        if (page_state_of(pa(at)) == PAGE_PRIVATE &&
            (!owned || tdx_td_reclaim(&m->td, pa(at)) == ABI_OK)) {
            REQUIRE(page_move(pa(at), step == SIZE_2M ? ORDER_2M : ORDER_4K, PAGE_PRIVATE,
                              PAGE_GUEST, OWNER) == ABI_OK);
        }
    }
}

static bool all_guest(const struct machine_td *m)
{
    for (uint64_t i = 0; i < m->blocks * SIZE_2M; i += PAGE_SIZE) {
        if (page_state_of(pa(m->ram.v + i)) != PAGE_GUEST) {
            return false;
        }
    }
    return true;
}

void machine_td_end(struct machine_td *m)
{
    if (m->tdvpr.v != 0) {
        (void)tdx_call2(TDH_VP_FLUSH, m->tdvpr.v, 0);
    }
    if (tdx_td_kill(&m->td) == ABI_OK) {
        for (unsigned int i = 0; i < m->blocks; i++) {
            reclaim_block(m, m->ram.v + i * SIZE_2M);
        }
    }
    tdx_td_destroy(&m->td);
    if (all_guest(m)) {
        page_free(m->ram, PAGE_GUEST, OWNER);
    }
}
