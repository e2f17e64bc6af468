/*
 * The test monitor: root world, EL3. It starts the RMM and then the host on each CPU, switches
 * between them at their calls, and keeps the granule protection table. QEMU's virt machine only.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "../../../cca/cca_spec.h"

#define MONITOR_CPUS 16u

/* QEMU's virt, with secure=on. */
#define SECURE_RAM    0x0e000000ull
#define SECURE_RAM_SIZE MiB(16)
#define FLASH_SIZE    MiB(64)
#define GICD          0x08000000ull
#define GICR          0x080a0000ull
#define GICR_STRIDE   0x20000ull
#define UART          0x09000000ull
#define FW_CFG        0x09020000ull
#define SECURE_GPIO   0x090b0000ull
#define PCI_PIO       0x3eff0000ull
#define PCI_ECAM_LOW  0x3f000000ull
#define RAM_BASE      0x40000000ull
#define FDT_NEW       0x40200000ull
#define FDT_SIZE      MiB(1)
#define SCRATCH       0x40400000ull /* before the host runs */
#define RMM_BASE      0x42000000ull
#define RMM_SIZE      MiB(32)
#define RMM_SHARED    (RMM_BASE + RMM_SIZE - GRANULE_SIZE)
#define HOST_BASE     0x44000000ull
#define HOST_INITRD   0x48000000ull

struct frame {
    uint64_t x[31];
};

enum world { WORLD_HOST, WORLD_REALM, WORLDS };
enum power { CPU_OFF, CPU_CLAIMED, CPU_STARTING, CPU_ON };

/* EL2 of a world, while the other has the CPU: its own registers, and what is a guest's or an
 * exit's of one: the RMM runs guests in one call, and takes exceptions from nobody else. */
#define EL2_OWN(R)                                                                                 \
    R(sctlr_el2) R(hcr_el2) R(cptr_el2) R(ttbr0_el2) R(tcr_el2) R(mair_el2) R(vbar_el2)            \
    R(tpidr_el2) R(sp_el2)
#define EL2_GUESTS(R)                                                                              \
    R(esr_el2) R(far_el2) R(hpfar_el2) R(elr_el2) R(spsr_el2)                                      \
    R(mdcr_el2) R(hstr_el2) R(vttbr_el2) R(vtcr_el2) R(vpidr_el2) R(vmpidr_el2) R(cnthctl_el2)     \
    R(cntvoff_el2) R(s3_4_c12_c11_0) R(s3_4_c12_c11_7) R(s3_4_c1_c2_2) R(s3_4_c1_c1_4)             \
    R(s3_4_c1_c1_5) R(s3_4_c1_c1_6) R(s3_4_c3_c1_4) R(s3_4_c3_c1_5)

struct context {
    struct frame frame; /* start.S saves and loads it */
    uint64_t stack;     /* this CPU's, at EL3: start.S */
    struct context *other;
    enum world world;
    bool guests; /* of the Realm's: what is guests', too, is loaded */
    uint64_t pc, pstate;
#define EL2_FIELD(name) uint64_t name;
    EL2_OWN(EL2_FIELD)
    EL2_GUESTS(EL2_FIELD)
#undef EL2_FIELD
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct context, stack) == 248, "start.S");

struct monitor_cpu {
    struct context context[WORLDS];
    uint32_t power;
    uint64_t entry, argument;
};
extern struct monitor_cpu monitor_cpus[MONITOR_CPUS];
unsigned int monitor_cpu(void);

/* start.S */
extern uint8_t monitor_stacks[MONITOR_CPUS][0x4000];
NORETURN void monitor_leave(const struct context *c);

/* call.c: an exception from there */
NORETURN void monitor_call(struct context *c);
NORETURN void monitor_broken(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far);

/* gpt.c */
enum pas { PAS_SECURE = 8, PAS_HOST = 9, PAS_ROOT = 10, PAS_REALM = 11, PAS_ANY = 15 };
void gpt_make(uint64_t ram, uint64_t size);
void gpt_cpu_init(void);
/* A granule of RAM moves from one to the other; an RMM-EL3 status. */
int64_t gpt_move(uint64_t pa, enum pas from, enum pas to);
/* The machine's only CPU has moved one. It forgets its translations on the way to the host: until
 * then the RMM alone has it, and has none of what moved. */
extern bool gpt_stale;

void gpt_forget_all(void); /* TLBI PAALL: this CPU's translations */

/* boot.c: loads the host by fw_cfg, tells it of the machine; its RAM. */
void boot_host(uint64_t *entry, uint64_t *fdt, struct rmm_dram_bank *ram);

/* SCR_EL3: EL2 is AArch64, HVC, and no feature of lower levels is kept from them. */
#define SCR_COMMON                                                                                 \
    (BIT(8) | BIT(10) | BIT(11) | BIT(16) | BIT(17) | BIT(18) | BIT(25) | BIT(26) | BIT(27) |      \
     BIT(28) | BIT(35) | BIT(38) | BIT(39) | BIT(41) | BIT(43) | BIT(44) | BIT(45))
#define SCR_NS  BIT(0)
#define SCR_NSE BIT(62)
#define SCR_OF(w) (SCR_COMMON | SCR_NS | ((w) == WORLD_REALM ? SCR_NSE : 0))

/* world.c: this CPU's */
void world_init(enum world w, uint64_t pc);
void world_exchange_guests(struct context *old, const struct context *new);
NORETURN void world_enter(const struct context *c);

/* main.c: the Realm's memory, as EL3 sees it; the end */
void *monitor_realm(uint64_t pa);
NORETURN void monitor_no_rmm(uint64_t code);

/* A call of the RMM's that a test wants to fail, and which one of them: left = 0, none. */
extern struct monitor_fault {
    uint32_t fid, left;
} monitor_fault;
static inline bool monitor_fails(uint64_t fid)
{
    return UNLIKELY(monitor_fault.left != 0) && monitor_fault.fid == fid &&
           __atomic_sub_fetch(&monitor_fault.left, 1, __ATOMIC_RELAXED) == 0;
}

/* attest.c */
void attest_realm_key(struct frame *f);
void attest_platform_token(struct frame *f);

/* psci.c */
int64_t psci(const uint64_t *x);
void monitor_pen(unsigned int cpu);

NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#endif
