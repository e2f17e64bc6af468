/*
 * The PSP's mailbox and platform commands: ABI chapters 4 and 8. A command runs to its end inside
 * the write that starts it; only its answer can be made to come late.
 */
#include "snp_psp.h"

#include "hv/check.h"
#include "hv/string.h"

enum platform_state { PSTATE_UNINIT, PSTATE_INIT }; /* ABI 3.2 */

static struct {
    struct emu_lock lock;
    enum platform_state state;
    bool rmp_ready;
    uint32_t address[2]; /* low, high */
    uint32_t response;
    uint32_t control; /* in ring mode */
    bool awake;       /* the ring was rung, and is not known to be empty */
    bool late;               /* the response has not been seen */
    unsigned int reads_left; /* before it shows */
    pa_t rmp_base;
    uint64_t rmp_size;
} psp;

void emu_psp_init(void)
{
    psp.state = PSTATE_UNINIT;
    psp.rmp_ready = false;
    psp.response = PSP_RESPONSE;
    psp.late = psp.awake = false;
    psp_ring_reset();
    psp.address[0] = psp.address[1] = 0;
    psp.rmp_size = 0;
    psp_guests_reset();
    emu_psp_cpus(1);
    emu_fault_reset();
    chip_report_version = 2;
}

void emu_psp_rmp_area(pa_t base, uint64_t size)
{
    psp.rmp_base = base;
    psp.rmp_size = size;
}

void emu_psp_report_version(uint32_t version)
{
    REQUIRE(version == 2 || version == 3 || version == 5);
    chip_report_version = version;
}

/* ---- memory ---- */

static bool copy(uint64_t at, uint8_t *buf, size_t len, bool out)
{
    while (len > 0) {
        size_t n = MIN(len, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
        uint8_t *p = emu_mem(pa(at & PAGE_MASK));

        if (p == NULL) {
            return false;
        }
        p += at & (PAGE_SIZE - 1);
        memcpy(out ? p : buf, out ? buf : p, n);
        buf += n;
        at += n;
        len -= n;
    }
    return true;
}

bool psp_read(uint64_t at, void *dst, size_t len)
{
    return at + len >= at && copy(at, dst, len, false);
}

bool psp_write(uint64_t at, const void *src, size_t len)
{
    return at + len >= at && copy(at, (uint8_t *)(uintptr_t)src, len, true);
}

bool psp_is_zero(const void *p, size_t len)
{
    const uint8_t *b = p;
    uint8_t any = 0;

    while (len-- > 0) {
        any |= *b++;
    }
    return any == 0;
}

bool psp_is_firmware(const struct emu_rmp *e)
{
    return e->assigned && e->immutable && !e->validated && e->asid == 0 && e->gpa == 0 && !e->vmsa;
}

bool psp_is_pre_guest(const struct emu_rmp *e)
{
    return e->assigned && e->immutable && !e->validated && e->asid != 0 && !e->vmsa;
}

bool psp_in_rmp(uint64_t at)
{
    return at >= psp.rmp_base.v && at - psp.rmp_base.v < psp.rmp_size;
}

/* Once the RMP is up the firmware writes to its own pages, and to those outside the RMP: ABI 5.3.
 */
uint32_t psp_writable(uint64_t at, size_t len)
{
    struct emu_rmp e;

    if ((at & (PAGE_SIZE - 1)) + len > PAGE_SIZE) {
        return SNP_INVALID_PARAM;
    }
    if (emu_mem(pa(at & PAGE_MASK)) == NULL) {
        return SNP_INVALID_ADDRESS;
    }
    if (psp.state == PSTATE_UNINIT || !emu_rmp_get(pa(at & PAGE_MASK), &e)) {
        return SNP_SUCCESS;
    }
    return psp_is_firmware(&e) ? SNP_SUCCESS : SNP_INVALID_PAGE_STATE;
}

uint32_t psp_page(uint64_t at, unsigned int size, struct emu_rmp *e)
{
    uint64_t bytes = size == RMP_2M ? SIZE_2M : PAGE_SIZE;

    if (!IS_ALIGNED(at, PAGE_SIZE)) {
        return SNP_INVALID_PARAM; /* reserved bits of the address */
    }
    if (!emu_rmp_get(pa(at), e)) {
        return SNP_INVALID_ADDRESS;
    }
    if (e->page_size == size && !IS_ALIGNED(at, bytes)) {
        return SNP_INVALID_ADDRESS;
    }
    if (e->page_size != size) {
        return SNP_INVALID_PAGE_SIZE;
    }
    for (uint64_t i = 0; i < bytes; i += PAGE_SIZE) {
        if (emu_mem(pa(at + i)) == NULL) {
            return SNP_INVALID_ADDRESS;
        }
    }
    return SNP_SUCCESS;
}

/* ---- platform commands ---- */

/* ABI 8.3 */
static uint32_t platform_status(const void *cmd)
{
    uint64_t at = *(const uint64_t *)cmd;
    const struct snp_platform_status s = {
        .api_major = CHIP_API_MAJOR,
        .api_minor = CHIP_API_MINOR,
        .state = psp.state,
        .rmp_initialized = psp.rmp_ready,
        .build = CHIP_BUILD,
        .features = BIT(3), /* FEATURE_INFO exists */
        .guest_count = psp_guests_count(),
        .current_tcb = CHIP_TCB,
        .reported_tcb = CHIP_TCB,
    };
    uint32_t r = psp_writable(at, sizeof(s));

    return r == SNP_SUCCESS && !psp_write(at, &s, sizeof(s)) ? SNP_INVALID_ADDRESS : r;
}

#define INIT_RMP      BIT(0)
#define INIT_LIST     BIT(1)
#define INIT_OPTIONAL (BIT(2) | BIT(3) | BIT(4)) /* RAPL off, ciphertext hiding, TIO */

struct range_list { /* ABI 8.8.2 */
    uint32_t count, reserved;
    struct {
        uint64_t base;
        uint32_t pages, reserved;
    } range[255];
};

/* HV-fixed pages: the hypervisor's for ever. */
static uint32_t fix_listed(uint64_t at)
{
    static struct range_list list; /* under the mailbox's lock */
    const struct emu_rmp fixed = {.immutable = true};

    if (!IS_ALIGNED(at, PAGE_SIZE) || !psp_read(at, &list, 8)) {
        return SNP_INVALID_ADDRESS;
    }
    if (list.count > ARRAY_SIZE(list.range) || list.reserved != 0) {
        return SNP_INVALID_PARAM;
    }
    if (!psp_read(at, &list, 8 + list.count * sizeof(list.range[0]))) {
        return SNP_INVALID_ADDRESS;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (!IS_ALIGNED(list.range[i].base, PAGE_SIZE) || list.range[i].reserved != 0) {
            return SNP_INVALID_PARAM;
        }
        emu_rmp_fill(list.range[i].base,
                     list.range[i].base + (uint64_t)list.range[i].pages * PAGE_SIZE, &fixed);
    }
    return SNP_SUCCESS;
}

static uint32_t init_rmp(const struct snp_init_ex *c)
{
    const struct emu_rmp firmware = {.assigned = true, .immutable = true};
    uint32_t r = SNP_SUCCESS;

    if ((c->flags & INIT_RMP) == 0) {
        return psp.rmp_ready ? SNP_SUCCESS : SNP_RMP_INIT_REQUIRED;
    }
    emu_rmp_clear();
    if ((c->flags & INIT_LIST) != 0) {
        r = fix_listed(c->list);
    }
    emu_rmp_fill(psp.rmp_base.v, ALIGN_UP(psp.rmp_base.v + psp.rmp_size, PAGE_SIZE), &firmware);
    psp.rmp_ready = r == SNP_SUCCESS;
    return r;
}

/* ABI 8.8 */
static uint32_t init_ex(const void *cmd)
{
    const struct snp_init_ex *c = cmd;
    uint32_t r;

    if ((c->flags & ~(INIT_RMP | INIT_LIST | INIT_OPTIONAL)) != 0 || c->reserved0 != 0 ||
        c->max_snp_asid != 0 || !psp_is_zero(c->reserved1, sizeof(c->reserved1)) ||
        (c->flags & (INIT_RMP | INIT_LIST)) == INIT_LIST) {
        return SNP_INVALID_PARAM;
    }
    if (psp.state != PSTATE_UNINIT) {
        return SNP_INVALID_PLATFORM_STATE;
    }
    if ((c->flags & INIT_OPTIONAL) != 0) {
        return SNP_UNSUPPORTED;
    }
    if (!emu_rmp_enabled() || emu_core_has_save_area()) { /* SYSCFG[SNPEn], VM_HSAVE_PA */
        return SNP_INVALID_CONFIG;
    }
    r = init_rmp(c);
    if (r == SNP_SUCCESS) {
        psp.state = PSTATE_INIT;
        psp_flush_demand();
    }
    return r;
}

/* ABI 8.9 */
static uint32_t shutdown_ex(const void *cmd)
{
    const struct snp_shutdown_ex *c = cmd;

    if (psp.state == PSTATE_UNINIT) {
        return SNP_SUCCESS;
    }
    if (psp_flush_needed()) {
        return SNP_DFFLUSH_REQUIRED;
    }
    if (c->length != sizeof(*c) || (c->flags & ~(SNP_SHUTDOWN_IOMMU | SNP_SHUTDOWN_X86)) != 0 ||
        c->flags == SNP_SHUTDOWN_X86) {
        return SNP_INVALID_PARAM;
    }
    psp_guests_reset();
    psp.state = PSTATE_UNINIT;
    psp.rmp_ready = psp.rmp_ready && (c->flags & SNP_SHUTDOWN_IOMMU) == 0;
    if ((c->flags & SNP_SHUTDOWN_X86) != 0) {
        emu_rmp_disable();
    }
    return SNP_SUCCESS;
}

/* ABI 8.14, as CPUID 80000024h: no optional features; shutdown of x86; reports and keys. */
static uint32_t feature_info(const void *cmd)
{
    struct {
        uint32_t length, ecx_in;
        uint64_t info;
    } c;
    static const uint32_t out[2][4] = {{1, 0, 1u << 1, 0}, {1u << 1 | 1u << 2, 0, 0, 0}};
    uint32_t r;

    memcpy(&c, cmd, sizeof(c));
    if (c.length != sizeof(c) || c.ecx_in >= ARRAY_SIZE(out)) {
        return SNP_INVALID_PARAM;
    }
    if ((c.info & 3) != 0 || (c.info & (PAGE_SIZE - 1)) > PAGE_SIZE - sizeof(out[0])) {
        return SNP_INVALID_ADDRESS;
    }
    r = psp_writable(c.info, sizeof(out[0]));
    return r == SNP_SUCCESS && !psp_write(c.info, out[c.ecx_in], sizeof(out[0]))
               ? SNP_INVALID_ADDRESS
               : r;
}

/* ---- the mailbox: ABI 4.1 ---- */

static uint32_t nop(const void *cmd)
{
    (void)cmd;
    return SNP_SUCCESS;
}

static const struct command {
    uint16_t id, size; /* bytes of the command buffer */
    bool needs_init;
    uint32_t (*run)(const void *cmd);
} commands[] = {
    {SEV_CMD_NOP, 0, false, nop},
    {SEV_CMD_RING_BUFFER, sizeof(struct sev_ring_buffer), true, psp_ring_buffer},
    {SNP_CMD_PLATFORM_STATUS, 8, false, platform_status},
    {SNP_CMD_DF_FLUSH, 0, true, psp_df_flush},
    {SNP_CMD_INIT_EX, sizeof(struct snp_init_ex), false, init_ex},
    {SNP_CMD_SHUTDOWN_EX, 8, false, shutdown_ex},
    {SNP_CMD_DECOMMISSION, 8, true, psp_decommission},
    {SNP_CMD_ACTIVATE, 12, true, psp_activate},
    {PSP_CMD_GUEST_STATUS, 16, true, psp_guest_status},
    {SNP_CMD_GCTX_CREATE, 8, true, psp_gctx_create},
    {SNP_CMD_GUEST_REQUEST, sizeof(struct snp_guest_request), true, psp_guest_request},
    {SNP_CMD_LAUNCH_START, sizeof(struct snp_launch_start), true, psp_launch_start},
    {SNP_CMD_LAUNCH_UPDATE, sizeof(struct snp_launch_update), true, psp_launch_update},
    {SNP_CMD_LAUNCH_FINISH, sizeof(struct snp_launch_finish), true, psp_launch_finish},
    {SNP_CMD_PAGE_RECLAIM, 8, true, psp_page_reclaim},
    {SNP_CMD_FEATURE_INFO, 16, false, feature_info},
};

uint32_t psp_run(uint32_t id, uint64_t at)
{
    union {
        uint64_t align;
        uint8_t bytes[64];
    } buf = {0};
    uint32_t fault = emu_fault_command();

    if (fault != SNP_SUCCESS) {
        return fault;
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];

        if (c->id != id) {
            continue;
        }
        if (!psp_read(at, buf.bytes, c->size)) {
            return SNP_INVALID_ADDRESS;
        }
        return c->needs_init && psp.state != PSTATE_INIT ? (uint32_t)SNP_INVALID_PLATFORM_STATE
                                                         : c->run(&buf);
    }
    return SNP_INVALID_COMMAND;
}

static void answer(uint32_t id, uint32_t status)
{
    psp.response = (uint32_t)PSP_RESPONSE | id << 16 | status;
    psp.reads_left = emu_fault_delay();
    psp.late = psp.reads_left > 0;
}

static void start(uint32_t value)
{
    uint32_t id = value >> 16 & 0x7ffu;
    uint32_t status;

    emu_fpu_begin();
    status = psp_run(id, psp.address[0] | (uint64_t)psp.address[1] << 32);
    emu_fpu_end();
    if (psp_ring_on()) { /* the extended error, none, is written over what RING_BUFFER put there */
        psp.address[0] = psp.address[1] = 0;
    }
    answer(id, status);
}

/* ---- ring mode: what the registers mean then ---- */

static void ring_control(uint32_t value)
{
    if ((value & RB_CTL_X86) == 0 || (value & RB_CTL_ACTIVE) == 0) {
        psp_ring_leave(psp.rmp_ready);
        psp.awake = false;
        answer(value >> 16 & 0x7ffu, SNP_EXIT_RING_BUFFER);
        return;
    }
    psp.control = psp.response = value;
    psp.awake = true;
    psp.reads_left = emu_fault_delay();
}

static void ring_work(void)
{
    if (!psp.awake) {
        return;
    }
    if (psp.reads_left > 0) {
        psp.reads_left--;
        return;
    }
    emu_fpu_begin();
    psp.awake = psp_ring_step(psp.control, psp.address[1], &psp.address[0]);
    emu_fpu_end();
    psp.reads_left = emu_fault_delay();
}

void emu_psp_write(uint32_t reg, uint32_t value)
{
    emu_lock(&psp.lock);
    switch (reg) {
    case PSP_REG_ADDR_LOW:
        psp.address[0] = value;
        break;
    case PSP_REG_ADDR_HIGH:
        psp.address[1] = value;
        break;
    case PSP_REG_CMDRESP:
        if (psp_ring_on() && !psp.late) {
            ring_control(value);
            break;
        }
        /* With the response bit set it is no command. */
        if ((value & PSP_RESPONSE) == 0 && !psp.late) {
            start(value);
        }
        break;
    default:
        break;
    }
    emu_unlock(&psp.lock);
}

static uint32_t response(void)
{
    if (psp.late && psp.reads_left > 0) {
        psp.reads_left--;
        return psp.response & ~(uint32_t)(PSP_RESPONSE | 0xffffu);
    }
    psp.late = false;
    return psp.response;
}

uint32_t emu_psp_read(uint32_t reg)
{
    uint32_t v = 0;

    emu_lock(&psp.lock);
    switch (reg) {
    case PSP_REG_CMDRESP:
        v = response();
        break;
    case PSP_REG_ADDR_LOW:
        ring_work();
        v = psp.address[0];
        break;
    case PSP_REG_ADDR_HIGH:
        v = psp.address[1];
        break;
    default:
        break;
    }
    emu_unlock(&psp.lock);
    return v;
}
