/* What the emulated core makes of XSAVE-like instructions: their operand, length and faults. */
#include "cu.h"

#include <stdlib.h>
#include <string.h>

#include "../../cc/emu/x86_64/snp_core.h"
#include "arch_impl/pte.h"
#include "hv/check.h"

#define PAGE_END 0x1000u /* where instructions end */
#define LONG_MODE 0xa9b
#define COMPAT    0xc9b

static struct vmcb shadow, host;
static struct emu_guest guest = {.asid = 1};
static struct emu_vcpu v = {.shadow = &shadow, .host = &host, .guest = &guest};
static uint8_t code[64], memory[2 * PAGE_SIZE];
static unsigned int fetchable;
static uint64_t rights;
static uint64_t leaf;
static bool mapped;

/* ---- what the decoder stands on ---- */

bool emu_read_virt(struct emu_vcpu *unused, uint64_t va, void *buf, size_t len)
{
    (void)unused;
    if (va < shadow.rip || va + len > shadow.rip + fetchable) {
        return false;
    }
    memcpy(buf, code + (va - shadow.rip), len);
    return true;
}

bool emu_walk(struct emu_vcpu *unused, uint64_t va, struct emu_walk *w)
{
    (void)unused;
    *w = (struct emu_walk){va, false, rights, &leaf};
    return mapped && va < sizeof(memory);
}

bool emu_host_translate(const struct emu_guest *g, uint64_t gpa, pa_t *to, uint64_t *size)
{
    (void)g;
    *to = pa(gpa);
    *size = PAGE_SIZE;
    return true;
}

uint32_t emu_rmp_access(pa_t at, const struct emu_touch *t, struct emu_rmp *e)
{
    (void)at;
    (void)t;
    (void)e;
    return RMP_OK;
}

void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

void *emu_mem(pa_t at)
{
    return memory + at.v;
}

/* ---- the tests ---- */

static void decodes(uint64_t address, unsigned int reg, bool wide, const char *bytes, size_t len)
{
    struct emu_operand n;

    memset(code, 0x90, sizeof(code));
    memcpy(code, bytes, len);
    shadow.rip = PAGE_END - len;
    fetchable = sizeof(code);
    CU_ASSERT_FATAL(emu_decode(&v, &n));
    CU_ASSERT_EQUAL(n.address, address);
    CU_ASSERT_EQUAL(n.length, len);
    CU_ASSERT_EQUAL(n.reg, reg);
    CU_ASSERT_EQUAL(n.wide, wide);
    fetchable = (unsigned int)len; /* all of it can be fetched, and nothing behind it */
    CU_ASSERT(emu_decode(&v, &n));
    fetchable = (unsigned int)len - 1;
    CU_ASSERT(!emu_decode(&v, &n));
}
#define DECODES(address, reg, wide, bytes)                                                         \
    decodes(address, reg, wide, bytes, sizeof(bytes) - 1)

static void registers(uint16_t cs)
{
    memset(&shadow, 0, sizeof(shadow));
    shadow.cs.attributes = cs;
    shadow.rax = 0x100000;
    shadow.rsp = 0x200000;
    shadow.fs.base = 0x7000000000;
    v.regs = (struct guest_regs){.rbx = 0x300000, .rcx = 4, .rbp = 0x400000, .rdi = 0x500000,
                                 .r9 = 0x10, .r12 = 0x600000, .r13 = 0x700000};
}

static void every_form_of_a_64_bit_address_is_found(void)
{
    registers(LONG_MODE);
    DECODES(0x500000, 5, true, "\x48\x0f\xc7\x2f");                         /* xsaves64 (%rdi) */
    DECODES(0x500000, 3, false, "\x0f\xc7\x1f");                            /* xrstors (%rdi) */
    DECODES(0x200040, 4, true, "\x48\x0f\xc7\x64\x24\x40");                 /* xsavec64 40h(%rsp) */
    DECODES(0x300000 + 16 - 128, 4, true, "\x48\x0f\xc7\x64\x8b\x80");      /* -80h(%rbx,%rcx,4) */
    DECODES(0x600000, 5, true, "\x49\x0f\xae\x2c\x24");                     /* xrstor64 (%r12) */
    DECODES(0x700000, 5, true, "\x49\x0f\xae\x6d\x00");                     /* 0(%r13) */
    DECODES(0x600000 + 0x80, 4, true, "\x4b\x0f\xc7\x24\xcc");              /* (%r12,%r9,8) */
    DECODES(0x12345678, 4, false, "\x0f\xc7\x24\x25\x78\x56\x34\x12");      /* absolute */
    DECODES(PAGE_END - 16, 3, true, "\x48\x0f\xc7\x1d\xf0\xff\xff\xff");    /* -10h(%rip) */
    DECODES(0x7000400000 + 0x1000, 4, false, "\x64\x0f\xc7\xa5\x00\x10\x00\x00"); /* %fs:(%rbp) */
}

static void addresses_of_32_bits_wrap(void)
{
    registers(LONG_MODE);
    v.regs.rdi = 0x1ffffffff;
    DECODES(0x3f, 4, false, "\x67\x0f\xc7\x67\x40");
    registers(COMPAT);
    v.regs.rdi = 0xfffffff0;
    DECODES(0x30, 4, false, "\x0f\xc7\x67\x40");
    DECODES(0x12345678, 4, false, "\x0f\xc7\x25\x78\x56\x34\x12"); /* not relative here */
}

static void what_has_no_operand_in_memory_is_not_decoded(void)
{
    static const char *const not[] = {"\x0f\xc7\xe7\x90", "\x66\x0f\xc7\x2f", "\xf3\x0f\xc7\x2f",
                                      "\x0e\xc7\x2f", "\x90\x0f\xc7\x2f"};
    struct emu_operand n;

    registers(LONG_MODE);
    fetchable = sizeof(code);
    for (size_t i = 0; i < ARRAY_SIZE(not); i++) {
        memcpy(code, not[i], 4);
        CU_ASSERT(!emu_decode(&v, &n));
    }
    memset(code, 0x64, sizeof(code)); /* longer than an instruction may be */
    CU_ASSERT(!emu_decode(&v, &n));
}

static void copies_need_the_rights_of_the_access(void)
{
    struct emu_trap t;
    uint8_t buf[64];

    registers(LONG_MODE);
    mapped = false;
    CU_ASSERT_EQUAL(emu_copy_virt(&v, 0, buf, 64, EMU_READ, &t), EMU_INSN_FAULT);
    CU_ASSERT(t.vector == EMU_VEC_PF && t.error == 0 && t.address == 0);
    mapped = true;
    rights = 0;
    leaf = 0;
    shadow.cr0 = BIT(16);
    CU_ASSERT_EQUAL(emu_copy_virt(&v, 64, buf, 64, EMU_READ_TO_WRITE, &t), EMU_INSN_FAULT);
    CU_ASSERT(t.error == 3 && t.address == 64 && leaf == 0);
    shadow.cpl = 3;
    CU_ASSERT_EQUAL(emu_copy_virt(&v, 0, buf, 64, EMU_READ, &t), EMU_INSN_FAULT);
    CU_ASSERT_EQUAL(t.error, 5);
    rights = PTE_W | PTE_U;
    CU_ASSERT_EQUAL(emu_copy_virt(&v, PAGE_SIZE * 2 - 32, buf, 64, EMU_WRITE, &t), EMU_INSN_FAULT);
    CU_ASSERT(t.address == PAGE_SIZE * 2 && t.error == 6);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_form_of_a_64_bit_address_is_found),
        CU(addresses_of_32_bits_wrap),
        CU(what_has_no_operand_in_memory_is_not_decoded),
        CU(copies_need_the_rights_of_the_access),
        CU_END,
    };

    return cu_main("emucore_decode", tests, argc, argv);
}
