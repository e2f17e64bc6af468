#include "snp.h"
void snp_create(uint64_t cc_blob) { (void)cc_blob; panic("not built"); }
void snp_share(void *at, size_t len) { (void)at; (void)len; }
void snp_wrmsr(uint32_t msr, uint64_t value) { (void)msr; (void)value; }
void snp_outb(uint16_t port, uint8_t value) { (void)port; (void)value; }
void snp_terminate(void) { for (;;) { } }
bool snp_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4]) { (void)leaf; (void)subleaf; (void)r; return false; }
bool emulate_vc(struct vcpu *v, struct frame *f) { (void)v; (void)f; return false; }
void snp_start_vcpu(struct vcpu *v) { (void)v; }
