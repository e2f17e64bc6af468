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
    struct frame frame;
    uint64_t pc, pstate;
#define EL2_FIELD(name) uint64_t name;
    EL2_OWN(EL2_FIELD)
    EL2_GUESTS(EL2_FIELD)
#undef EL2_FIELD
};

struct monitor_cpu {
    struct context context[WORLDS];
    enum world now;
    bool guests; /* the Realm's, too, are loaded */
    uint32_t power;
    uint64_t entry, argument;
};
extern struct monitor_cpu monitor_cpus[MONITOR_CPUS];
unsigned int monitor_cpu(void);

/* start.S */
NORETURN void monitor_leave(const struct frame *f);

/* gpt.c */
enum pas { PAS_SECURE = 8, PAS_HOST = 9, PAS_ROOT = 10, PAS_REALM = 11, PAS_ANY = 15 };
void gpt_make(uint64_t ram, uint64_t size);
void gpt_cpu_init(void);
/* A granule of RAM moves from one to the other; an RMM-EL3 status. */
int64_t gpt_move(uint64_t pa, enum pas from, enum pas to);

/* boot.c: loads the host by fw_cfg, tells it of the machine; its RAM. */
void boot_host(uint64_t *entry, uint64_t *fdt, struct rmm_dram_bank *ram);

/* world.c */
void world_init(struct context *c, uint64_t pc);
/* guests: what EL2 keeps for its guests changes hands, too. */
void world_switch(struct frame *f, enum world to, bool guests);
void world_enter(enum world w);

/* main.c: the Realm's memory, as EL3 sees it */
void *monitor_realm(uint64_t pa);

/* attest.c */
void attest_realm_key(struct frame *f);
void attest_platform_token(struct frame *f);

/* psci.c */
int64_t psci(const uint64_t *x);
void monitor_pen(unsigned int cpu);

NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#endif
