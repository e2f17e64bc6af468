/*
 * A hostile hypervisor: any sequence of firmware commands, by mailbox and by ring, RMP instructions
 * and memory writes. Whatever it does, no page of a guest may become valid without PVALIDATE or a
 * measured launch, and a context page stays a context page until it is decommissioned.
 */
#include "emu_host.h"

#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *p;
    size_t len;
};

static uint64_t take(struct input *in, size_t n)
{
    uint64_t v = 0;

    n = n < in->len ? n : in->len;
    memcpy(&v, in->p, n);
    in->p += n;
    in->len -= n;
    return v;
}

/* Mostly one of 32 pages, two large ones among them; now and then anything. */
static uint64_t address(struct input *in)
{
    uint8_t pick = (uint8_t)take(in, 1);

    if (pick >= 0xf0) {
        return take(in, 8);
    }
    if (pick < 0x20) {
        return MiB(16) + pick % 2 * SIZE_2M + (pick & 1);
    }
    return (uint64_t)pick % 32 * PAGE_SIZE;
}

static const uint32_t ids[] = {
    SNP_CMD_PLATFORM_STATUS, SNP_CMD_DF_FLUSH,
    SNP_CMD_INIT_EX,         SNP_CMD_SHUTDOWN_EX,
    SNP_CMD_DECOMMISSION,    SNP_CMD_ACTIVATE,
    SNP_CMD_GCTX_CREATE,     SNP_CMD_GUEST_REQUEST,
    SNP_CMD_LAUNCH_START,    SNP_CMD_LAUNCH_UPDATE,
    SNP_CMD_LAUNCH_FINISH,   SNP_CMD_PAGE_RECLAIM,
    SNP_CMD_FEATURE_INFO,    0x7ff,
    SEV_CMD_RING_BUFFER,     SEV_CMD_NOP,
};

/* Three leading words are often addresses; the rest is raw. */
static void command(struct input *in)
{
    uint64_t cmd[8] = {0};
    uint32_t id = ids[take(in, 1) % ARRAY_SIZE(ids)];
    unsigned int words = (unsigned int)take(in, 1);

    cmd[0] = address(in);
    for (unsigned int i = 1; i < 3 + words % 6; i++) {
        cmd[i] = (words >> 3 & 1) != 0 ? address(in) : take(in, words >> 4 & 7);
    }
    (void)psp_do(id, cmd, sizeof(cmd));
}

/* A ring over two of the pages; then commands in one of them, with buffers anywhere. */
static void enter_ring(struct input *in)
{
    struct sev_ring_buffer c = {
        .low_commands = address(in) & ~1ull,
        .low_status = address(in) & ~1ull,
        .high_commands = address(in) & ~1ull,
        .high_status = address(in) & ~1ull,
        .low_pages = 1,
        .high_pages = (uint8_t)take(in, 1) & 1,
        .interrupt_on_empty = 1,
    };

    (void)psp_do(SEV_CMD_RING_BUFFER, &c, sizeof(c));
}

static void use_ring(struct input *in)
{
    uint64_t queue = take(in, 1) % 32 * PAGE_SIZE;
    struct sev_ring_command *c = host_at(queue);
    unsigned int count = (unsigned int)take(in, 1) % 8;

    for (unsigned int i = 0; i < count; i++) {
        c[take(in, 1)] = (struct sev_ring_command){
            .id = (uint16_t)ids[take(in, 1) % ARRAY_SIZE(ids)],
            .flags = (uint16_t)take(in, 1) & 3,
            .buffer = address(in),
        };
    }
    emu_psp_write(PSP_REG_RB_TAIL, (uint32_t)take(in, 3));
    emu_psp_write(PSP_REG_RB_CTL,
                  (uint32_t)(RB_CTL_X86 | RB_CTL_ACTIVE) | (uint32_t)take(in, 2) << 8);
    for (unsigned int i = 0; i < 16; i++) {
        (void)emu_psp_read(PSP_REG_RB_HEAD);
    }
}

static void instruction(struct input *in)
{
    struct rmp_entry e;
    uint64_t at = address(in) & ~1ull;
    uint8_t bits = (uint8_t)take(in, 1);
    bool changed;

    e = (struct rmp_entry){.gpa = address(in) & ~1ull,
                           .assigned = bits & 1,
                           .page_size = bits >> 1 & 1,
                           .immutable = bits >> 2 & 1,
                           .asid = bits >> 3 & 3};
    switch (bits >> 5 & 3) {
    case 0:
    case 1:
        (void)emu_rmpupdate(pa(at), &e);
        break;
    case 2:
        (void)emu_psmash(pa(at));
        break;
    default:
        (void)emu_pvalidate(pa(at), e.gpa, e.asid, bits >> 7, e.page_size, bits & 1, &changed);
        (void)emu_rmpadjust(pa(at), e.gpa, e.asid, 0, e.page_size, bits & 3, bits & 15, bits >> 7);
        break;
    }
}

static void scribble(struct input *in)
{
    uint64_t at = take(in, 3) % HOST_MEMORY;
    uint64_t v = take(in, 4);

    if (at + 8 <= HOST_MEMORY) {
        memcpy(host_at(at), &v, sizeof(v));
    }
}

/* What must hold of every page, whatever was done. */
static void check_states(void)
{
    for (uint64_t at = 0; at < 64 * PAGE_SIZE; at += PAGE_SIZE) {
        struct emu_rmp e;

        if (!emu_rmp_get(pa(at), &e)) {
            abort();
        }
        if ((e.validated && (!e.assigned || e.asid == 0 || e.immutable)) ||
            (!e.assigned && (e.asid != 0 || e.vmsa || e.gpa != 0)) || e.in_use ||
            (e.vmsa && e.asid != 0 && !e.validated)) {
            abort();
        }
    }
}

/* A platform that is up, and on it a guest: none, in launch, or running. */
static void prepare(unsigned int how)
{
    struct snp_secrets_page secrets;
    struct host_guest g;

    (void)host_init();
    if (how == 1) {
        (void)host_start_guest(&g, 1, HOST_POLICY);
    } else if (how > 1) {
        (void)host_run_guest(&g, &secrets);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    emu_host_reset();
    if (size > 0 && (data[0] & 1) != 0) {
        prepare(data[0] >> 1 & 3);
    }
    while (in.len > 0) {
        switch (take(&in, 1) % 6) {
        case 0:
        case 1:
            command(&in);
            break;
        case 2:
            instruction(&in);
            break;
        case 3:
            enter_ring(&in);
            break;
        case 4:
            use_ring(&in);
            break;
        default:
            scribble(&in);
            break;
        }
    }
    check_states();
    if (!host_fpu_balanced()) {
        abort();
    }
    return 0;
}
