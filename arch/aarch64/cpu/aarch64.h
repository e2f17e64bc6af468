/* What the files of arch/aarch64 say to each other. */
#ifndef AARCH64_AARCH64_H
#define AARCH64_AARCH64_H

#include "../../common/common.h"

#define MPIDR_AFFINITY 0xff00ffffffull

/* Interrupts of our own: software-generated, and the private ones that BSA 1.0, 3.8 gives. */
#define SGI_KICK        0u
#define SGI_CALL        1u
#define SGI_STOP        2u
#define PPI_MAINTENANCE 25u /* of the virtual GIC */
#define PPI_HYP_TIMER   26u
#define PPI_GUEST_VIRT  27u
#define PPI_GUEST_PHYS  30u

/* head.S */
void aarch64_load_root(uint64_t root, uint64_t image_base);
NORETURN void aarch64_ap_start(void);
NORETURN void aarch64_start(uint64_t fdt, uint64_t loaded_at);

/* entry.S */
struct trap_frame {
    uint64_t x[31], sp, elr, spsr, esr, far;
};
extern const char aarch64_vectors[];
NORETURN void aarch64_switch_stack(uint64_t top, void (*fn)(void));
NORETURN void aarch64_trap(struct trap_frame *f, uint64_t vector);

/* stacks.c: with a guard below each; stacks_create() */
uint64_t stack_top(const struct cpu *c);
/* Is it in a guard? Then whose stack overflowed. */
const char *stack_guard_name(uint64_t va);
/* Can two words be read there? */
bool stack_readable(uint64_t va);

/* gic.c: the machine's GICv3 */
void gic_init(void);      /* boot CPU */
void gic_cpu_init(void);  /* each CPU */
void gic_send(const struct cpu *c, unsigned int sgi);
void gic_send_others(unsigned int sgi);
/* Takes every interrupt that is pending on this CPU. */
void gic_take(void);
/* Makes a private interrupt of this CPU active, or not. */
void gic_set_active(unsigned int ppi, bool active);

/* clock.c */
void clock_init(void);
void clock_cpu_init(void);
uint64_t clock_now(void); /* CNTPCT */

/* uart.c */
void uart_boot(uint64_t at); /* the console before the final mappings; 0: none */
void uart_map(void);         /* and with them */

#endif
