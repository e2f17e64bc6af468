/* Constants of the guest ABI that are in no list: also for assembly. SPDX: MIT */
#ifndef ABI_CONST_H
#define ABI_CONST_H

#define ABI_VERSION_1_0 0x00010000
#define ABI_VERSION_1_1 0x00010001
#define ABI_VERSION_1_2 0x00010002
#define ABI_CALL_BASE   0x434c0000

/* x86-64: CPUID. At the base EAX the highest leaf, EBX ECX EDX the signature; then what is here. */
#define ABI_CPUID_BASE     0x40000100
#define ABI_CPUID_VERSION  0x40000101 /* EAX the ABI version */
#define ABI_CPUID_FEATURES 0x40000102 /* EAX the features of this domain, a bit each */
#define ABI_SIGNATURE_EBX  0x696f6c43 /* "Cloi" "ster" "\0\0\0\0" */
#define ABI_SIGNATURE_ECX  0x72657473
#define ABI_SIGNATURE_EDX  0x00000000

/*
 * AArch64: calls and discovery in SMCCC's range of vendor-specific hypervisors, 64 bits: by HVC,
 * SMC, or a realm's RSI_HOST_CALL. X0 -1: there is no Cloister.
 */
#define ABI_SMCCC_CALL     0xc6000000 /* and the call's index */
#define ABI_SMCCC_BASE     0xc6000100 /* X0, X1, X2: the signature; X3 0 */
#define ABI_SMCCC_VERSION  0xc6000101 /* X0 the ABI version */
#define ABI_SMCCC_FEATURES 0xc6000102 /* X0 the features of this domain, a bit each */

/* ABI_QUERY, first argument. */
#define ABI_QUERY_CALL    0
#define ABI_QUERY_FEATURE 1
#define ABI_QUERY_LIMIT   2
#define ABI_QUERY_SOURCE  3
#define ABI_QUERY_PEER    4
#define ABI_QUERY_CONFIG  5 /* since 1.1: words 0 to 3 of its configuration hash, little-endian */

/* HOST_EVIDENCE, since 1.1. */
#define ABI_EVIDENCE_QUOTE 0
#define ABI_EVIDENCE_LOG   1

#define ABI_BUF_READ_ONLY 1
#define ABI_SHARE_OFFERED  0
#define ABI_SHARE_ACCEPTED 1

#endif
