/*
 * In front of Linux's headers: their own #include lines find nothing more to read, and the types
 * that they use are these.
 */
#ifndef TESTS_LIB_SNP_LINUX_SHIM_H
#define TESTS_LIB_SNP_LINUX_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _LINUX_TYPES_H
#define _UAPI_LINUX_TYPES_H
#define __LINUX_BITS_H
#define _ASM_X86_INSN_H
#define _ASM_X86_COCO_H
#define _ASM_X86_KVM_H
#define _ASM_X86_HYPERV_TLFS_H

typedef uint8_t u8, __u8;
typedef uint16_t u16, __u16;
typedef uint32_t u32, __u32;
typedef uint64_t u64, __u64, phys_addr_t;
typedef unsigned int gfp_t;
typedef struct {
    u64 pgd;
} pgd_t;
enum pg_level { PG_LEVEL_NONE, PG_LEVEL_4K, PG_LEVEL_2M };
struct insn {
    int none;
};
struct hv_vmcb_enlightenments {
    u8 bytes[32];
};
struct file;

/* Used by accessors of the headers that nobody calls. */
bool test_bit(long nr, const volatile unsigned long *at);
void __set_bit(long nr, volatile unsigned long *at);

#define PAGE_SIZE 4096
#define static_assert(condition) _Static_assert(condition, #condition)
#define __packed __attribute__((packed))
#define __init
#define __user
#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define GENMASK_ULL(high, low) (~0ull >> (63 - (high)) & ~0ull << (low))
#define ERR_PTR(error) ((void *)(long)(error))
#define BUILD_BUG_ON(bad) _Static_assert(!(bad), #bad)
#define ASSERT_STRUCT_OFFSET(type, field, at)                                                      \
    _Static_assert(offsetof(type, field) == (at), "" #field)

#endif
