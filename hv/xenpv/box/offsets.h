/* What entry.S knows of box.h; cpu.c asserts it. */
#ifndef XENPV_BOX_OFFSETS_H
#define XENPV_BOX_OFFSETS_H

#define VCPU_SELF    0
#define VCPU_STACK   8
#define VCPU_SCRATCH 16
#define VCPU_INFO    24
#define VCPU_KERNEL  32

#define FRAME_R11    48
#define FRAME_RCX    64
#define FRAME_ERROR  120
#define FRAME_RIP    128
#define FRAME_CS     136
#define FRAME_RFLAGS 144
#define FRAME_RSP    152
#define FRAME_SS     160
#define FRAME_SIZE   168

#define FLAT_CS32_ 0xe023
#define FLAT_DS_   0xe02b
#define FLAT_CS64_ 0xe033

#define VECTORS 64
#define TRAMPOLINE_PHYS 0x10000 /* low RAM is no part of the guest */

#endif
