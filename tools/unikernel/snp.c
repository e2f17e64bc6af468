/*
 * A unikernel in an SEV-SNP guest, a bzImage: what must be shared becomes so before it is used,
 * calls go through the GHCB (AMD 56421), and its evidence is a report of the chip's firmware
 * (AMD 56860), asked for by a message that only the two of them can read.
 */
#include "machine.h"

#include <bearssl.h>

#define MSR_GHCB  0xc0010130u
#define PAGE      4096u
#define WINDOW    0x40000000u /* unikernel.c: a peer's page */
#define SETUP_DATA 0x250 /* of boot_params; its first entry holds the CC blob's address (Linux) */
#define PSC_SHARED (0x014 | 2ull << 52)
#define REGISTER  0x012u
#define IOIO_OUT8 (1u << 4)
#define NAE_IOIO  0x7bu
#define NAE_VMMCALL 0x81u
#define NAE_GUEST_REQUEST 0x80000011u

enum { RAX = 0x1f8, RDX = 0x310, RSI = 0x330, RDI = 0x338, R10 = 0x350, CODE = 0x390,
       INFO1 = 0x398, INFO2 = 0x3a0, VALID = 0x3f0, VERSION = 0xffa };

/* 56860, 8.26 (message), 7.3 (report) */
struct message {
    uint8_t tag[32];
    uint64_t sequence, reserved0;
    uint8_t algorithm, header_version; /* AES-256-GCM, 1; what is authenticated begins here */
    uint16_t header_size;
    uint8_t type, version;
    uint16_t size;
    uint32_t reserved1;
    uint8_t key, reserved2[35];
    uint8_t payload[PAGE - 0x60];
};
_Static_assert(offsetof(struct message, payload) == 0x60, "56860, table 97");
#define AUTHENTICATED 0x30u
#define REPORT_SIZE   1184u
#define REPORT_AT     32u

static union {
    uint8_t byte[PAGE];
    uint64_t quad[PAGE / 8];
} ghcb SHARED;
static struct message request SHARED, response SHARED;
static const uint8_t *secrets;      /* its pages, by the CC blob */
static const uint32_t *cpuid_page;
extern uint8_t shared_start[], shared_end[];

void snp_begin(const uint8_t *boot_params);

static uint64_t vmgexit(uint64_t value)
{
    uint32_t lo, hi;

    __asm__ volatile("wrmsr; rep; vmmcall; rdmsr"
                     : "=a"(lo), "=d"(hi)
                     : "c"(MSR_GHCB), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return (uint64_t)hi << 32 | lo;
}

static void give(unsigned int field, uint64_t value)
{
    ghcb.quad[field / 8] = value;
    ghcb.quad[VALID / 8 + field / 512] |= 1ull << field / 8 % 64;
}

static void event(uint64_t code, uint64_t info1, uint64_t info2)
{
    give(CODE, code);
    give(INFO1, info1);
    give(INFO2, info2);
    (void)vmgexit((uint64_t)&ghcb);
    ghcb.quad[VALID / 8] = 0;
    ghcb.quad[VALID / 8 + 1] = 0;
}

static struct abi_result by_ghcb(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    give(RAX, number);
    give(RDI, a);
    give(RSI, b);
    give(RDX, c);
    give(R10, d);
    event(NAE_VMMCALL, 0, 0);
    return (struct abi_result){ghcb.quad[RAX / 8],
                               {ghcb.quad[RDI / 8], ghcb.quad[RSI / 8], ghcb.quad[RDX / 8]}};
}

void machine_off(void)
{
    for (;;) {
        give(RAX, PM_SLEEP_VALUE);
        event(NAE_IOIO, PM_SLEEP_PORT << 16 | IOIO_OUT8, 0);
    }
}

/* The table that the firmware checked: 16 bytes, then 48 for each leaf. */
int machine_has_abi(void)
{
    for (uint32_t i = 0; i < cpuid_page[0]; i++) {
        const uint32_t *leaf = &cpuid_page[4 + 12 * i];

        if (leaf[0] == ABI_CPUID_BASE) {
            return leaf[6] >= ABI_CPUID_VERSION && leaf[7] == ABI_SIGNATURE_EBX &&
                   leaf[8] == ABI_SIGNATURE_ECX && leaf[9] == ABI_SIGNATURE_EDX;
        }
    }
    return 0;
}

static void share(const uint8_t *from, const uint8_t *end)
{
    for (; from < end; from += PAGE) {
        uint64_t rax = (uint64_t)from;

        __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff" /* PVALIDATE, back */
                         : "+a"(rax)
                         : "c"(0), "d"(0)
                         : "memory", "cc");
        (void)vmgexit(PSC_SHARED | (uint64_t)from);
    }
}

/* 2 MiB of the tables that it was given, without the C-bit: shared memory. */
static void map_shared(uint64_t cr3, uint64_t c_bit, uint64_t at)
{
    const uint64_t *pml4 = (const uint64_t *)(cr3 & ~c_bit & ~0xfffull);
    const uint64_t *pdpt = (const uint64_t *)(pml4[0] & ~c_bit & ~0xfffull);
    uint64_t *directory = (uint64_t *)(pdpt[at >> 30] & ~c_bit & ~0xfffull);

    directory[at >> 21 & 511] &= ~c_bit;
}

void snp_begin(const uint8_t *boot_params)
{
    const uint8_t *setup = *(const uint8_t *const *)(boot_params + SETUP_DATA);
    const uint8_t *blob = (const uint8_t *)(uint64_t)*(const uint32_t *)(setup + 16);
    uint64_t cr3, c_bit;

    secrets = *(const uint8_t *const *)(blob + 8);
    cpuid_page = *(const uint32_t *const *)(blob + 24);
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    c_bit = *(const uint64_t *)(cr3 & 0xfffff000) & 0x000fff8000000000ull;
    share(shared_start, shared_end);
    map_shared(cr3, c_bit, (uint64_t)shared_start);
    map_shared(cr3, c_bit, WINDOW);
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    for (uint64_t *p = (uint64_t *)shared_start; p < (uint64_t *)shared_end; p++) {
        *p = 0;
    }
    (void)vmgexit(REGISTER | (uint64_t)&ghcb);
    ghcb.byte[VERSION] = 2;
    abi_call = by_ghcb;
}

/* The firmware's key of VMPL 0, from the secrets page. True: the tag is right. */
static bool crypt(struct message *m, bool encrypt)
{
    uint8_t iv[12] = {(uint8_t)m->sequence}; /* little-endian; it stays below 256 here */
    uint8_t tag[16];
    br_aes_ct64_ctr_keys aes;
    br_gcm_context gcm;

    br_aes_ct64_ctr_init(&aes, secrets + 0x20, 32);
    br_gcm_init(&gcm, &aes.vtable, br_ghash_ctmul64);
    br_gcm_reset(&gcm, iv, sizeof(iv));
    br_gcm_aad_inject(&gcm, &m->algorithm, offsetof(struct message, payload) - AUTHENTICATED);
    br_gcm_flip(&gcm);
    br_gcm_run(&gcm, encrypt, m->payload, m->size);
    if (!encrypt) {
        return br_gcm_check_tag(&gcm, m->tag) == 1;
    }
    br_gcm_get_tag(&gcm, tag);
    for (unsigned int i = 0; i < sizeof(tag); i++) {
        m->tag[i] = tag[i];
    }
    return true;
}

/* A report about itself. What it says of its own, 64 bytes, is the ABI's version. */
void machine_attest(void)
{
    static struct message m; /* private: the host sees no plain text, and changes no checked one */
    const volatile uint64_t *answer = &ghcb.quad[INFO2 / 8];

    m = (struct message){.sequence = 1, .algorithm = 1, .header_version = 1, .header_size = 0x60,
                         .type = 5, .version = 1, .size = 96};
    *(uint64_t *)m.payload = abi_do_ABI_VERSION().value[0];
    (void)crypt(&m, true);
    request = m;
    event(NAE_GUEST_REQUEST, (uint64_t)&request, (uint64_t)&response);
    must("no report: ", *answer);
    m = response;
    if (m.type != 6 || m.sequence != 2 || m.size < REPORT_AT + REPORT_SIZE ||
        m.size > sizeof(m.payload) || !crypt(&m, false)) {
        print("what came is not from the firmware\n");
        return;
    }
    must("no report: ", *(const uint32_t *)m.payload);
    print_bytes("report ", m.payload + REPORT_AT, REPORT_SIZE);
}
