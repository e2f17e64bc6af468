/* An SEV-SNP guest that is attacked, or attacks: which, its command line says. */
#include <stdbool.h>
#include <stdint.h>

#include "attack.h"

#define MSR_GHCB 0xc0010130u
#define PSC_REQ(page, op) (0x014 | (page) | (uint64_t)(op) << 52)
#define PSC_RESP 0x015u
#define PRIVATE  1u
#define SHARED   2u
#define PAGE     4096u
#define CODE     0x200000ull /* link.ld */
extern char code_size[];
#define CODE_SIZE ((uint64_t)code_size)
#define P        0x600000ull /* a page to fight for; the next ones, too */

struct gate {
    uint16_t low, selector, type, mid;
    uint32_t high, zero;
};
static struct gate idt[32] __attribute__((aligned(16)));
extern char vc_entry[];

static uint64_t vmgexit(uint64_t request)
{
    uint32_t lo, hi;

    __asm__ volatile("wrmsr; rep; vmmcall; rdmsr"
                     : "=a"(lo), "=d"(hi)
                     : "c"(MSR_GHCB), "a"((uint32_t)request), "d"((uint32_t)(request >> 32))
                     : "memory");
    return (uint64_t)hi << 32 | lo;
}

static _Noreturn void end(unsigned int code)
{
    for (;;) {
        (void)vmgexit(0x100 | END_SET << 12 | code << 16);
    }
}

_Noreturn void guest_vc(uint64_t code);
_Noreturn void guest_main(const uint8_t *boot_params);

_Noreturn void guest_vc(uint64_t code)
{
    end(code == 0x404 ? END_NOT_VALID : code == 0x41 ? END_STEP : END_OTHER_VC);
}

/* RAX of PVALIDATE; *unchanged is CF. */
static uint32_t pvalidate(uint64_t at, uint32_t validate, bool *unchanged)
{
    uint64_t rax = at;

    __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
                     : "+a"(rax), "=@ccc"(*unchanged)
                     : "c"(0), "d"(validate)
                     : "memory");
    return (uint32_t)rax;
}

static uint32_t rmpadjust(uint64_t at, uint64_t how)
{
    uint64_t rax = at;

    __asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
                     : "+a"(rax)
                     : "c"(0), "d"(how)
                     : "memory", "cc");
    return (uint32_t)rax;
}

static volatile uint64_t *word(uint64_t at)
{
    return (volatile uint64_t *)at;
}

static void own(uint64_t at, uint64_t value)
{
    bool unchanged;

    if (pvalidate(at, 1, &unchanged) != 0) {
        end(END_BROKEN);
    }
    *word(at) = value;
}

static uint64_t attack(unsigned int what, uint64_t page)
{
    return vmgexit(ATTACK_REQ | page | (uint64_t)what << 52) >> 12;
}

/* The attack itself must work, or nothing is proven. */
static void suffer(unsigned int what, uint64_t page)
{
    if (attack(what, page) != 0) {
        end(END_NO_ATTACK);
    }
}

/* ---- attacked ---- */

static void replay(void)
{
    suffer(ATTACK_REPLAY, P);
    (void)*word(P);
    end(END_BROKEN);
}

static void share(void)
{
    suffer(ATTACK_SHARE, P);
    *word(P) = 0x2222;
    end(END_BROKEN);
}

static void swap(void)
{
    own(P + PAGE, 0x3333);
    suffer(ATTACK_SWAP, P);
    end(*word(P) == 0x1111 ? END_GOOD : END_BROKEN);
}

static void vmsa(void)
{
    suffer(ATTACK_VMSA, P);
    end(END_BROKEN);
}

static void write(void)
{
    suffer(ATTACK_WRITE, P);
    end(END_BROKEN);
}

/* INVALID_PAGE_STATE, and nothing was written. */
static void firmware(void)
{
    end(attack(ATTACK_FIRMWARE, P) == 0x1a && *word(P) == 0x1111 ? END_GOOD : END_BROKEN);
}

/* ---- attacking ---- */

static void unknown(void)
{
    (void)vmgexit(0xabc);
    end(END_BROKEN);
}

static void ghcb(void)
{
    (void)vmgexit(0x5000);
    end(END_BROKEN);
}

static void outside(void)
{
    static const uint64_t pages[] = {0x4000000000ull, 0x000ffffffffff000ull, 0xfee00000ull};

    for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        uint64_t answer = vmgexit(PSC_REQ(pages[i], SHARED));

        if ((answer & 0xfff) != PSC_RESP || answer >> 32 == 0) {
            end(END_BROKEN);
        }
    }
    end(END_GOOD);
}

static void storm(void)
{
    uint64_t dice = 7;

    for (unsigned int i = 0; i < 3000; i++) {
        dice = dice * 6364136223846793005ull + 1442695040888963407ull;
        (void)vmgexit(PSC_REQ(P + (dice >> 40 & 63) * PAGE, 1 + (dice >> 50 & 1)));
    }
    for (unsigned int i = 0; i < 64; i++) {
        (void)vmgexit(PSC_REQ(P + i * PAGE, PRIVATE));
        own(P + i * PAGE, i);
    }
    for (unsigned int i = 0; i < 64; i++) {
        if (*word(P + i * PAGE) != i) {
            end(END_BROKEN);
        }
    }
    end(END_GOOD);
}

static void unvalidated(void)
{
    bool unchanged;

    if (pvalidate(P, 0, &unchanged) != 0 || unchanged) {
        end(END_BROKEN);
    }
    *word(P) = 1;
    end(END_BROKEN);
}

static void twice(void)
{
    bool unchanged;

    end(pvalidate(P, 1, &unchanged) == 0 && unchanged && *word(P) == 0x1111 ? END_GOOD
                                                                          : END_BROKEN);
}

/* VMPL 0 gives itself nothing: FAIL_PERMISSION. */
static void vmpl(void)
{
    end(rmpadjust(P, 0x0f00) == 2 ? END_GOOD : END_BROKEN);
}

/* Its own code, given away: there is nothing left to run. */
static void code(void)
{
    (void)vmgexit(PSC_REQ((uint64_t)vc_entry & ~(uint64_t)(PAGE - 1), SHARED));
    end(END_BROKEN);
}

/* ---- by the GHCB page ---- */

/* 2 MiB that are accessed as shared, the GHCB first. */
#define GHCB  0x800000ull
#define C_BIT (1ull << 39)

static void ghcb_make(void)
{
    uint64_t cr3, *pml4, *pdpt, *pd;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    pml4 = (uint64_t *)(cr3 & ~C_BIT & ~0xfffull);
    pdpt = (uint64_t *)(pml4[0] & ~C_BIT & ~0xfffull);
    pd = (uint64_t *)(pdpt[0] & ~C_BIT & ~0xfffull);
    for (unsigned int i = 0; i < 4; i++) {
        (void)vmgexit(PSC_REQ(GHCB + i * PAGE, SHARED));
    }
    pd[GHCB >> 21] &= ~C_BIT;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    if (vmgexit(0x012 | GHCB) != (0x013 | GHCB)) {
        end(END_BROKEN);
    }
    *word(GHCB + 0xff8) = 2ull << 16; /* the version */
}

static void ghcb_set(unsigned int field, uint64_t value)
{
    *word(GHCB + field) = value;
    *word(GHCB + 0x3f0 + field / 512 * 8) |= 1ull << field / 8 % 64;
}

static void event(uint64_t code, uint64_t info1, uint64_t info2)
{
    ghcb_set(0x390, code);
    ghcb_set(0x398, info1);
    ghcb_set(0x3a0, info2);
    (void)vmgexit(GHCB);
}

/* #DB is the hypervisor's to intercept: a handler of it that raises it again would never end. */
static void step(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%rsp); popfq; nop");
    end(END_BROKEN);
}

/* It goes on whatever it says, but for what it does to its own GHCB and by halting. */
static void garbage(void)
{
    uint64_t dice = 99;

    ghcb_make();
    for (unsigned int i = 0; i < 3000; i++) {
        for (unsigned int at = 0x1f8; at < 0x900; at += 8) {
            dice = dice * 6364136223846793005ull + 1442695040888963407ull;
            *word(GHCB + at) = dice;
        }
        switch (i % 4) {
        case 0: /* MMIO, PSC, requests, AP creation */
            ghcb_set(0x3a8, (dice & 1) != 0 ? GHCB + 0x800 : dice);
            event(0x80000001 + (dice >> 20) % 0x13 % 3 + (i % 8 == 0 ? 0x10 : 0), dice, dice << 9);
            break;
        case 1:
            event((dice >> 8 & 1) != 0 ? 0x7b : 0x7c, dice >> 9, 0);
            break;
        case 2:
            event((dice >> 8 & 1) != 0 ? 0x72 : 0x81, dice >> 9, 0);
            break;
        default:
            event(dice | 1ull << 63, dice, dice);
        }
    }
    end(*word(P) == 0x1111 ? END_GOOD : END_BROKEN);
}

/* Another vCPU, on a page that is no save area. */
static void ap(void)
{
    ghcb_make();
    ghcb_set(0x1f8, 1);
    event(0x80000013, 1ull << 32 | 1, P + PAGE); /* never at 2 MiB: an erratum */
    for (;;) {
        (void)vmgexit(0x002);
    }
}

/* ---- another VMPL ---- */

#define VMSA      (P + PAGE)
#define CAN_READ  (P + 2 * PAGE) /* and no more */
#define AP_STACK  (P + 4 * PAGE)
#define PERMS(target, perms) ((target) | (uint64_t)(perms) << 8)
#define READ_ONLY 1u
#define ALL_PERMS 15u

static void field(uint64_t at, uint64_t value)
{
    *word(VMSA + at) = value;
}

/* What a vCPU at VMPL 1 runs. It must not get any further than its last line. */
static void at_vmpl1(void)
{
    bool unchanged;

    if (*word(CAN_READ) != 0x4444 || pvalidate(CAN_READ, 0, &unchanged) != 2 ||
        rmpadjust(CAN_READ, PERMS(1, ALL_PERMS)) != 2 ||
        rmpadjust(CAN_READ, PERMS(2, ALL_PERMS)) != 2) {
        end(END_BROKEN);
    }
    *word(CAN_READ) = 0x5555;
    end(END_BROKEN);
}

/* Table B-4 of the APM, like this vCPU's own; then its own stack, code and VMPL. */
static void save_area(void)
{
    uint64_t cr;

    for (unsigned int segment = 0; segment < 6; segment++) {
        field(segment * 16, segment == 1 ? 0xffffffff0a9b0010 : 0xffffffff0c930018);
    }
    field(0x60, 0x1full << 32);
    field(0x70, 0x00820000);
    field(0x90, 0x008b0000 | 0x67ull << 32);
    field(0xc8, 1u << 16); /* VMPL */
    field(0xd0, 0x1500);   /* EFER */
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr));
    field(0x148, cr);
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr));
    field(0x150, cr);
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr));
    field(0x158, cr);
    field(0x160, 0x400);
    field(0x168, 0xffff0ff0);
    field(0x170, 2);
    field(0x178, (uint64_t)at_vmpl1);
    field(0x1d8, AP_STACK + PAGE - 8);
    field(0x268, 0x0007040600070406ull);
    field(0x3b0, 1);
    field(0x3e8, 1);
}

/* The page of that level's table for low addresses, of which this guest has one each. */
static uint64_t table(unsigned int level)
{
    uint64_t at;

    __asm__ volatile("mov %%cr3, %0" : "=r"(at));
    at &= ~C_BIT & ~0xfffull;
    for (; level > 0; level--) {
        at = *word(at) & ~C_BIT & ~0xfffull;
    }
    return at;
}

static void give(uint64_t at, unsigned int perms)
{
    if (rmpadjust(at, PERMS(1, perms)) != 0) {
        end(END_BROKEN);
    }
}

/* A vCPU at VMPL 1 gets its code, stack and tables, and one page to read; it writes to that. */
static void vmpl1(void)
{
    ghcb_make();
    for (uint64_t at = CODE; at < CODE + CODE_SIZE; at += PAGE) {
        give(at, ALL_PERMS);
    }
    for (unsigned int level = 0; level < 3; level++) {
        give(table(level), ALL_PERMS);
    }
    own(VMSA, 0);
    own(CAN_READ, 0x4444);
    own(AP_STACK, 0);
    give(CAN_READ, READ_ONLY);
    give(AP_STACK, ALL_PERMS);
    save_area();
    if (rmpadjust(VMSA, PERMS(1, 0) | 1u << 16) != 0) {
        end(END_BROKEN);
    }
    ghcb_set(0x1f8, 1);
    event(0x80000013, 1ull << 32 | 1, VMSA);
    for (;;) {
        (void)vmgexit(0x002);
    }
}

/* Requests that are none: INVALID_PARAM (16h), and soon BUSY. */
static void flood(void)
{
    unsigned int busy = 0;

    ghcb_make();
    for (unsigned int i = 0; i < 300; i++) {
        event(0x80000011, GHCB + PAGE, GHCB + 2 * PAGE);
        if (*word(GHCB + 0x3a0) == 2ull << 32) {
            busy++;
        } else if (*word(GHCB + 0x3a0) != 0x16) {
            end(END_BROKEN);
        }
    }
    end(busy > 200 ? END_GOOD : END_BROKEN);
}

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    {"replay", replay},   {"share", share},     {"swap", swap},   {"vmsa", vmsa},
    {"write", write},     {"firmware", firmware}, {"unknown", unknown}, {"ghcb", ghcb},
    {"outside", outside}, {"storm", storm},     {"unvalidated", unvalidated},
    {"twice", twice},     {"vmpl", vmpl},       {"code", code},   {"garbage", garbage},
    {"ap", ap},           {"flood", flood},     {"vmpl1", vmpl1}, {"step", step},
};

/* Is that the command line's first word? `cloister run` adds words of its own. */
static bool first_word(const char *line, const char *word)
{
    while (*word != '\0' && *line == *word) {
        line++;
        word++;
    }
    return *word == '\0' && (*line == '\0' || *line == ' ');
}

static void load_idt(void)
{
    const uint64_t to = (uint64_t)vc_entry;
    const struct __attribute__((packed)) {
        uint16_t limit;
        const void *base;
    } pointer = {sizeof(idt) - 1, idt};

    idt[29] = (struct gate){(uint16_t)to, 0x10, 0x8e00, (uint16_t)(to >> 16), 0, 0};
    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

_Noreturn void guest_main(const uint8_t *boot_params)
{
    const char *line = (const char *)(uint64_t) * (const uint32_t *)(boot_params + 0x228);

    load_idt();
    own(P, 0x1111);
    for (unsigned int i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (first_word(line, attacks[i].name)) {
            attacks[i].run();
        }
    }
    end(END_UNKNOWN);
}
