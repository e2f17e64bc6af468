/* SEV-SNP: the platform, and the technology's operations. */
#include "snp.h"

#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

#define C_BIT(ebx) ((ebx) & 0x3f)

struct snp_platform snp_platform;

static struct {
    struct lock lock;
    uint64_t asids[16]; /* taken */
} asid_pool;

/* Silent when the chip has no SNP: most machines do not. */
static bool detect(void)
{
    uint32_t r[4];

    snp_hw_cpuid(SNP_CPUID_LEAF, 0, r);
    if ((r[0] & SNP_CPUID_SNP) == 0 || (r[0] & SNP_CPUID_ES) == 0) {
        return false;
    }
    /*
     * APM 15.34.7: without it a page's lines would have to leave all caches each time that it
     * becomes private or shared. With it only DMA still meets lines under a key that is gone: no
     * device that reads or writes by itself is a guest's or ours, and snp_stop writes all back.
     */
    if ((r[0] & SNP_CPUID_COHERENT) == 0) {
        log_error("sev-snp: the chip's caches are not coherent across encryption keys (CPUID "
                  "8000001F, EAX[10]): that is not built");
        return false;
    }
    snp_platform.c_bit = C_BIT(r[1]);
    if ((r[0] & SNP_CPUID_TSC_AUX) != 0) {
        svm_leave_to_encrypted(MSR_TSC_AUX);
    }
    /* SEV-ES and SNP guests take the ASIDs below the first that is for SEV alone. */
    if (r[3] <= 1) {
        log_error("sev-snp: the firmware leaves no ASID to such guests: raise the minimum ASID of "
                  "SEV guests without ES in its setup");
        return false;
    }
    snp_platform.asid_min = 1;
    snp_platform.asid_max = MIN(r[3] - 1, 1023u);
    /* Linux's SNP guests stop where leaf Dh has neither: a chip with SNP has both. */
    snp_hw_cpuid(0xd, 1, r);
    snp_platform.xsave = (r[0] & (XSAVE_XSAVEC | XSAVE_XSAVES)) == (XSAVE_XSAVEC | XSAVE_XSAVES);
    return true;
}

/* The firmware reserved it, as one table, with an entry for each page of RAM. */
static bool rmp_fits(void)
{
    const struct boot_range *last = &boot_info.ram[boot_info.ram_count - 1];
    uint64_t ram = last->base + last->len;
    uint64_t base = snp_hw_rdmsr(MSR_RMP_BASE);
    uint64_t end = snp_hw_rdmsr(MSR_RMP_END);
    uint64_t need = RMP_BOOKKEEPING + ram / PAGE_SIZE * sizeof(struct rmp_entry);
    uint32_t r[4];

    snp_hw_cpuid(SNP_CPUID_LEAF, 0, r);
    if ((r[0] & SNP_CPUID_RMP_SEGMENTS) != 0 &&
        (snp_hw_rdmsr(MSR_RMP_CFG) & RMP_CFG_SEGMENTED) != 0) {
        log_error("sev-snp: an RMP of segments is not built yet: choose one table in the "
                  "firmware's setup");
        return false;
    }
    if (base == 0 || end <= base || end - base + 1 < need) {
        log_error("sev-snp: the firmware reserved no RMP, or one too small for %lu MiB: enable "
                  "SNP memory coverage in its setup",
                  (unsigned long)(ram >> 20));
        return false;
    }
    return true;
}

/* On every CPU before SNP is enabled on any: ABI 8.8. */
static void fix_mtrrs(void)
{
    snp_hw_wrmsr(MSR_SYSCFG_, snp_hw_rdmsr(MSR_SYSCFG_) | SYSCFG_MFDM);
}

static void enable_cpu(void)
{
    snp_hw_wrmsr(MSR_SYSCFG_, snp_hw_rdmsr(MSR_SYSCFG_) | SYSCFG_MEM_ENCRYPT | SYSCFG_SNP_EN |
                                  SYSCFG_VMPL_EN);
}

/*
 * APM 15.36.2. What the table holds counts from the moment that a CPU enables SNP, and then only
 * the chip writes to it: it is zeroed before that, unless somebody enabled SNP before us.
 */
static bool enable(void)
{
    if (!rmp_fits()) {
        return false;
    }
    if ((snp_hw_rdmsr(MSR_SYSCFG_) & SYSCFG_SNP_EN) == 0) {
        snp_hw_rmp_clear();
    }
    cpu_run_on_all(snp_hw_wbinvd);
    cpu_run_on_all(fix_mtrrs);
    cpu_run_on_all(enable_cpu);
    return true;
}

static uint64_t save_areas[CPUS_MAX];

static void take_save_area(void)
{
    save_areas[this_cpu()->index] = snp_hw_rdmsr(MSR_VM_HSAVE_PA);
    snp_hw_wrmsr(MSR_VM_HSAVE_PA, 0);
}

static void give_save_area(void)
{
    snp_hw_wrmsr(MSR_VM_HSAVE_PA, save_areas[this_cpu()->index]);
}

/* A command whose buffer ends with an address: of a page of its own for the answer (ABI 5.3). */
static bool ask(enum snp_command cmd, const char *name, void *buf, size_t len, void *answer,
                size_t answer_len)
{
    bool ok = false;
    pa_t page;

    if (!page_alloc(ORDER_4K, PAGE_HV, 0, &page)) {
        return false;
    }
    if (snp_page_to_firmware(0, page) == ABI_OK) {
        memcpy((uint8_t *)buf + len - sizeof(page.v), &page.v, sizeof(page.v));
        ok = snp_fail("sev-snp", name, snp_psp(cmd, buf, len)) == ABI_OK;
        ok = snp_page_from_firmware(0, page) == ABI_OK && ok;
    }
    if (ok) {
        memcpy(answer, pa_to_hva(page), answer_len);
    }
    if (page_state_of(page) == PAGE_HV) {
        page_free(page, PAGE_HV, 0);
    }
    return ok;
}

/* ABI 8.1.2: every CPU writes back its caches, then the data fabric follows. */
static enum abi_status flush(void)
{
    uint8_t none[8] = {0};

    cpu_run_on_all(snp_hw_wbinvd);
    return snp_fail("sev-snp", "SNP_DF_FLUSH", snp_psp(SNP_CMD_DF_FLUSH, none, sizeof(none)));
}

static bool read_status(struct snp_platform_status *s)
{
    uint64_t address;

    return ask(SNP_CMD_PLATFORM_STATUS, "SNP_PLATFORM_STATUS", &address, sizeof(address), s,
               sizeof(*s));
}

/* Old firmware has no such command, and none of the features. */
static bool read_features(uint32_t *features)
{
    struct snp_feature_info c = {.length = sizeof(c)};
    uint32_t answer[4] = {0};
    bool ok = (snp_platform.status.features & SNP_STATUS_FEATURE_INFO) == 0 ||
              ask(SNP_CMD_FEATURE_INFO, "SNP_FEATURE_INFO", &c, sizeof(c), answer, sizeof(answer));

    *features = answer[2];
    return ok;
}

/*
 * What is the machine's firmware's becomes HV-fixed: parts of the machine that go on writing there
 * may not once SNP is enforced, but to such pages. It is never a guest's.
 */
static void list_reserved(struct snp_range_list *list)
{
    _Static_assert(BOOT_RANGES_MAX <= ARRAY_SIZE(list->range), "a list has room for all");

    for (unsigned int i = 0; i < boot_info.reserved_count; i++) {
        const struct boot_range *r = &boot_info.reserved[i];

        list->range[i].base = r->base;
        list->range[i].pages = (uint32_t)MIN(r->len / PAGE_SIZE, (uint64_t)UINT32_MAX);
    }
    list->count = boot_info.reserved_count;
}

static bool init_ex(void)
{
    struct snp_init_ex init = {.flags = SNP_INIT_RMP | SNP_INIT_LIST};
    enum abi_status st;
    pa_t page;

    if (!page_alloc(ORDER_4K, PAGE_HV, 0, &page)) {
        return false;
    }
    list_reserved(pa_to_hva(page));
    init.list = page.v;
    st = snp_fail("sev-snp", "SNP_INIT_EX", snp_psp(SNP_CMD_INIT_EX, &init, sizeof(init)));
    page_free(page, PAGE_HV, 0);
    return st == ABI_OK;
}

/* ABI 8.8: INIT_EX leaves every ASID to be flushed. */
static bool init_firmware(void)
{
    return snp_psp_start() == ABI_OK && init_ex() && flush() == ABI_OK &&
           read_status(&snp_platform.status);
}

static bool snp_start(void)
{
    bool ok;

    if (!detect() || !enable()) {
        return false;
    }
    cpu_run_on_all(take_save_area); /* ABI 8.8: no CPU may have one */
    ok = init_firmware();
    cpu_run_on_all(give_save_area);
    if (!ok || !read_features(&snp_platform.features)) {
        return false;
    }
    log_info("sev-snp: firmware %u.%u build %u, features %x, TCB %lx, %u ASIDs, C-bit %u",
             snp_platform.status.api_major, snp_platform.status.api_minor,
             snp_platform.status.build, snp_platform.features,
             (unsigned long)snp_platform.status.current_tcb, snp_platform.asid_max,
             snp_platform.c_bit);
    snp_ring_start();
    return true;
}

static enum snp_status shut_down(void)
{
    struct snp_shutdown_ex cmd = {.length = sizeof(cmd), .flags = SNP_SHUTDOWN_IOMMU};

    return snp_psp(SNP_CMD_SHUTDOWN_EX, &cmd, sizeof(cmd));
}

/*
 * ABI 8.9: whoever starts next finds the firmware as after a reset, and can initialise the RMP. An
 * ASID that was used since the last flush has to be flushed first; one that a guest still has
 * keeps the firmware up. The IOMMUs' pages would come back reclaimable: there are none of ours.
 */
static void snp_stop(void)
{
    enum snp_status st;

    cpu_run_on_all(snp_hw_wbinvd);
    st = shut_down();
    if (st == SNP_DFFLUSH_REQUIRED && flush() == ABI_OK) {
        st = shut_down();
    }
    if (snp_fail("sev-snp", "SNP_SHUTDOWN_EX", st) == ABI_OK) {
        log_info("sev-snp: the firmware is shut down");
    } else {
        log_warn("sev-snp: the firmware stays up: reset the machine before another system uses it");
    }
}

static void snp_configure(struct domain_config *cfg)
{
    cfg->c_bit = snp_platform.c_bit;
}

static bool take_asid(uint32_t *asid)
{
    bool found = false;

    lock(&asid_pool.lock);
    for (uint32_t i = snp_platform.asid_min; i <= snp_platform.asid_max && !found; i++) {
        if ((asid_pool.asids[i / 64] & BIT(i % 64)) == 0) {
            asid_pool.asids[i / 64] |= BIT(i % 64);
            *asid = i;
            found = true;
        }
    }
    unlock(&asid_pool.lock);
    return found;
}

/* An ASID's next user must find caches and the data fabric flushed. */
static void give_asid(uint32_t asid)
{
    if (flush() != ABI_OK) {
        return; /* never used again: safe, if not economical */
    }
    lock(&asid_pool.lock);
    asid_pool.asids[asid / 64] &= ~BIT(asid % 64);
    unlock(&asid_pool.lock);
}

static enum abi_status make_context(struct vm *vm, struct snp_vm *s)
{
    enum abi_status st;

    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &s->gctx)) {
        return ABI_NO_MEMORY;
    }
    st = snp_page_to_firmware(vm->id, s->gctx);
    if (st != ABI_OK) {
        page_free(s->gctx, PAGE_HV, vm->id);
        return st;
    }
    st = snp_fail(vm->name, "SNP_GCTX_CREATE",
                  snp_psp(SNP_CMD_GCTX_CREATE, &s->gctx.v, sizeof(s->gctx.v)));
    s->gctx_made = st == ABI_OK;
    if (!s->gctx_made && snp_page_from_firmware(vm->id, s->gctx) == ABI_OK) {
        page_free(s->gctx, PAGE_HV, vm->id);
    }
    return st;
}

/* False: the firmware still knows the guest, and with it the ASID. */
static bool end_context(struct vm *vm, struct snp_vm *s)
{
    if (!s->gctx_made) {
        return true;
    }
    if (snp_fail(vm->name, "SNP_DECOMMISSION",
                 snp_psp(SNP_CMD_DECOMMISSION, &s->gctx.v, sizeof(s->gctx.v))) != ABI_OK) {
        return false;
    }
    if (snp_page_from_firmware(vm->id, s->gctx) == ABI_OK) {
        page_free(s->gctx, PAGE_HV, vm->id);
    }
    return true;
}

static enum abi_status snp_vm_create(struct vm *vm, const struct domain_config *cfg)
{
    struct snp_vm *s = vm_alloc(vm, sizeof(*s));

    (void)cfg;
    if (s == NULL) {
        return ABI_NO_MEMORY;
    }
    if (!take_asid(&s->asid)) {
        log_error("%s: all %u ASIDs for encrypted guests are taken", vm->name,
                  snp_platform.asid_max);
        return ABI_LIMIT;
    }
    vm->cc_data = s;
    return make_context(vm, s);
}

/* What the guest's memory held is the chip's to forget: without its key it is noise. */
static void snp_vm_destroy(struct vm *vm)
{
    struct snp_vm *s = snp_of(vm);
    bool ended;

    if (s == NULL) {
        return;
    }
    snp_ghcb_release(vm);
    ended = end_context(vm, s);
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        struct snp_vcpu *sv = snp_vcpu_of(vm->vcpu[i]);

        if (sv != NULL && sv->vmsa_owned != 0 &&
            snp_page_take_back(vm->id, sv->first_vmsa) == ABI_OK) {
            page_free(sv->first_vmsa, PAGE_HV, vm->id);
        }
    }
    snp_mem_release(vm);
    if (ended) {
        give_asid(s->asid);
    }
    vm->cc_data = NULL;
}

/* Its second stage is the nested table itself. */
static void snp_forget(struct vm *vm, gpa_t at)
{
    (void)vm;
    (void)at;
}

const struct cc_ops cc_snp_ops = {
    .kind = CC_SEV_SNP,
    .start = snp_start,
    .stop = snp_stop,
    .configure = snp_configure,
    .vm_create = snp_vm_create,
    .vm_destroy = snp_vm_destroy,
    .vcpu_create = snp_vcpu_create,
    .launch = snp_launch,
    .shared = snp_shared,
    .forget = snp_forget,
};
