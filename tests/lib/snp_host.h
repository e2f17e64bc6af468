/*
 * The SEV-SNP driver (cc/snp) above the emulated chip (cc/emu) on the fake machine: a host, and
 * guests that are played by the test.
 */
#ifndef TESTS_LIB_SNP_HOST_H
#define TESTS_LIB_SNP_HOST_H

#include "../../cc/emu/snp_emu.h"
#include "../../cc/snp/snp.h"
#include "core_host.h"

/* A new boot of a machine with that much memory and one CPU; the chip is after reset. */
void snp_boot(uint64_t memory);
/* The same with CPUs; those from `online` on run no vCPUs. */
void snp_boot_cpus(uint64_t memory, unsigned int cpus, unsigned int online);

/* A CPUID function about whose EDX the hypervisor lies to guests; 0: none. */
extern uint32_t snp_invent;
/* The machine's firmware has what is between low and high RAM. */
#define SNP_RESERVED     KiB(636)
#define SNP_RESERVED_LEN (MiB(1) - SNP_RESERVED)
/* SNP_CPUID_* that the chip does not have: SEV-SNP is not there then. */
extern uint32_t snp_lacks;

/* Every page is back, or is one that the chip would not give back: those are not handed out. */
uint64_t snp_pages_kept(void);

/* What the next VMRUNs of a save area that the chip accepts do; NULL: exit with HLT. */
extern void (*snp_guest_code)(struct vmcb *b, struct vmsa *save);
/* Enters that vCPU once, and handles its exit; an INIT that came before is taken first. */
void snp_run(struct vcpu *v);
/* INIT, as arch/x86_64 takes it. */
void snp_init(struct vcpu *v);

/* A launched guest of that kind: what layout it had, and pages that a test may use. */
#define LAY_KERNEL  0x100000u /* three pages, of LAY_BYTE */
#define LAY_SECRETS 0x98000u
#define LAY_CPUID   0x99000u
#define LAY_FREE    0x40000u /* RAM that no piece lies in, up to LAY_SECRETS */
#define LAY_BYTE    0x5a
struct domain_config snp_config(enum cc_kind cc, uint64_t memory, uint32_t vcpus);
const struct layout *snp_layout(enum cc_kind cc);
struct vm *snp_guest(enum cc_kind cc, uint32_t vcpus);

/* A guest's memory by its own view (the chip's): the page at that gpa, which is populated. */
void *snp_ram(struct vm *vm, uint64_t gpa);
pa_t snp_pa(struct vm *vm, uint64_t gpa);
/* The guest's PVALIDATE, at VMPL 0, of the page that the hypervisor's tables have at that gpa. */
uint32_t snp_pvalidate(struct vm *vm, uint64_t gpa, bool validate);

/* VMGEXIT with a request in the GHCB MSR; its answer. */
uint64_t snp_msr(struct vcpu *v, uint64_t request);
/* Makes a page shared and registers it as the vCPU's GHCB. */
void snp_ghcb_register(struct vcpu *v, uint64_t gpa);
/* VMGEXIT with the registered GHCB: what the test put into it, plus the event. */
struct ghcb *snp_ghcb(struct vcpu *v);
void snp_ghcb_set(struct vcpu *v, size_t field, uint64_t value); /* offset in the page */
/* Registering sets what we offer. */
void snp_ghcb_form(struct vcpu *v, uint16_t version, uint32_t usage);
void snp_event(struct vcpu *v, uint64_t code, uint64_t info1, uint64_t info2);
/* A page state change list in the GHCB; SW_EXITINFO2, and the header's cursor. */
uint64_t snp_psc(struct vcpu *v, const uint64_t *entries, unsigned int count, unsigned int *cur);

/* Does every page of its RAM have one owner, by the hypervisor's table and the RMP alike? */
bool snp_agrees(struct vm *vm);
/* Has it been asked to end? vm->detail says why. */
bool snp_ended(const struct vm *vm);
/* Ended or not: it goes. */
void snp_drop(struct vm *vm);

#endif
