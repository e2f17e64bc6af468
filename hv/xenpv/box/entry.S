/*
 * Ways into the box and out of it. GS is the vCPU while the box runs, the guest's else; the other
 * one is in KERNEL_GS_BASE. The stack begins with struct frame (box.h).
 */
#include "offsets.h"

        .macro  save_registers
        pushq   %r9
        pushq   %r8
        pushq   %r10
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rcx
        pushq   %rax
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        .endm

        .macro  restore_registers
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %rax
        popq    %rcx
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %r10
        popq    %r8
        popq    %r9
        .endm

        /* A function of (vcpu, frame); a frame is 8 bytes short of the stack's alignment. */
        .macro  call_with_frame function
        movq    %gs:VCPU_SELF, %rdi
        movq    %rsp, %rsi
        subq    $8, %rsp
        call    \function
        addq    $8, %rsp
        .endm

        .macro  syscall_frame selector
        swapgs
        movq    %rsp, %gs:VCPU_SCRATCH
        movq    %gs:VCPU_STACK, %rsp
        pushq   $FLAT_DS_
        pushq   %gs:VCPU_SCRATCH
        pushq   %r11
        pushq   $\selector
        pushq   %rcx
        pushq   $0
        save_registers
        .endm

        .text
/* SYSCALL of 64-bit code: a hypercall of the kernel, or the kernel's business. */
        .globl  entry_syscall
entry_syscall:
        syscall_frame FLAT_CS64_
        cmpq    $0, %gs:VCPU_KERNEL
        je      1f
        call_with_frame box_syscall
        jmp     return_by_sysret
1:      call_with_frame box_user_syscall
        jmp     return_by_iret

        .globl  entry_syscall32
entry_syscall32:
        syscall_frame FLAT_CS32_
        call_with_frame box_syscall32
        jmp     return_by_iret

/* As long as nothing but RAX changed: SYSRET, which must not meet a RIP that is not canonical. */
return_by_sysret:
        movq    %gs:VCPU_INFO, %rax
        cmpb    $0, (%rax)
        jne     return_by_iret
        movq    FRAME_RIP(%rsp), %rcx
        movq    FRAME_RFLAGS(%rsp), %r11
        cmpq    %rcx, FRAME_RCX(%rsp)
        jne     iret_to_guest
        cmpq    %r11, FRAME_R11(%rsp)
        jne     iret_to_guest
        cmpq    $FLAT_CS64_, FRAME_CS(%rsp)
        jne     iret_to_guest
        cmpq    $FLAT_DS_, FRAME_SS(%rsp)
        jne     iret_to_guest
        movq    %rcx, %rax
        shlq    $16, %rax
        sarq    $16, %rax
        cmpq    %rcx, %rax
        jne     iret_to_guest
        restore_registers
        movq    FRAME_RSP - FRAME_ERROR(%rsp), %rsp
        swapgs
        sysretq

/* Events that wait, and are not masked, come first. */
        .globl  return_by_iret
return_by_iret:
        movq    %gs:VCPU_INFO, %rax
        cmpb    $0, (%rax)
        je      iret_to_guest
        cmpb    $0, 1(%rax)
        jne     iret_to_guest
        call_with_frame box_event_callback
iret_to_guest:
        restore_registers
        addq    $8, %rsp
        swapgs
guest_iret:
        iretq

/* A vCPU's first entry: RDI the vCPU, whose frame is in place. */
        .globl  enter_guest
enter_guest:
        movq    VCPU_STACK(%rdi), %rsp
        subq    $FRAME_SIZE, %rsp
        jmp     return_by_iret

/* ---- exceptions and interrupts: the error code, and above it the vector ---- */
trap_entry:
        cld
        testb   $3, 16(%rsp)
        jz      trap_in_box
        swapgs
trap_from_guest:
        save_registers
        clac
        call_with_frame box_trap
        jmp     return_by_iret

/* A fault on the way to the guest is one of the guest: its registers are back already. */
trap_in_box:
        pushq   %rax
        leaq    guest_iret(%rip), %rax
        cmpq    %rax, 16(%rsp)
        popq    %rax
        je      1f
        save_registers
        movq    %rsp, %rdi
        call    box_own_fault
        restore_registers
        addq    $8, %rsp
        iretq
1:      swapgs
        movq    %rax, %gs:VCPU_SCRATCH
        movq    (%rsp), %rax
        movq    32(%rsp), %rsp
        pushq   %rax
        movq    %gs:VCPU_SCRATCH, %rax
        jmp     trap_from_guest

/* Vectors that have a stack of their own: they may come between two instructions of the above. */
trap_entry_ist:
        cld
        testb   $3, 16(%rsp)
        jz      2f
        swapgs
        movq    %rax, %gs:VCPU_SCRATCH
        movq    %rsp, %rax
        movq    %gs:VCPU_STACK, %rsp
        pushq   40(%rax)
        pushq   32(%rax)
        pushq   24(%rax)
        pushq   16(%rax)
        pushq   8(%rax)
        pushq   (%rax)
        movq    %gs:VCPU_SCRATCH, %rax
        jmp     trap_from_guest
2:      save_registers
        movq    %rsp, %rdi
        call    box_own_fault
        restore_registers
        addq    $8, %rsp
        iretq

        .macro  vector n
        .balign 16
        .if     !(\n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21 || \n == 29 || \n == 30)
        pushq   $0
        .endif
        movl    $\n, 4(%rsp)
        .if     \n == 1 || \n == 2 || \n == 8 || \n == 18 || \n == 29
        jmp     trap_entry_ist
        .else
        jmp     trap_entry
        .endif
        .endm

        .balign 16
        .globl  trap_vectors
trap_vectors:
        .altmacro
        .set    i, 0
        .rept   VECTORS
        vector  %i
        .set    i, i + 1
        .endr
        .noaltmacro

/* ---- what may fault on the guest's behalf, and where it goes on then ---- */
        .macro  may_fault at, to
        .pushsection .fixup, "a"
        .balign 4
        .long   \at - ., \to - .
        .popsection
        .endm

/* bool copy_guest(void *to, const void *from, size_t n) */
        .globl  copy_guest
copy_guest:
        movq    %rdx, %rcx
        stac
1:      rep movsb
        clac
        movl    $1, %eax
        ret
2:      clac
        xorl    %eax, %eax
        ret
        may_fault 1b, 2b

/* GS takes a selector that may be none: then 0 */
        .globl  load_gs
load_gs:
1:      movl    %edi, %gs
        ret
2:      xorl    %edi, %edi
        movl    %edi, %gs
        ret
        may_fault 1b, 2b

        .section .note.GNU-stack, "", @progbits
