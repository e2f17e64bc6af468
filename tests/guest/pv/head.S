/* A PV64 kernel by the letter (Xen, public/elfnote.h): entered in ring 3, RSI start_info. */
        .macro  note type, value
        .long   4, 8, \type
        .asciz  "Xen"
        .quad   \value
        .endm

        .section .note.xen, "a", @note
        .balign 4
        note    1, pv_entry             /* ENTRY */
        note    3, 0                    /* VIRT_BASE: it is linked where it is loaded */

        .text
        .globl  pv_entry, pv_trap_entry, pv_event_entry, pv_hypercall, pv_end_of_space
pv_entry:
        leaq    stack_end(%rip), %rsp
        movq    %rsi, %rdi
        xorl    %ebp, %ebp
        call    pv_main
        ud2

/* int64_t pv_hypercall(number, a, b, c, d) */
pv_hypercall:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        syscall
        ret

/* Every exception: RCX, R11, error code or not: C looks at the frame from the other end. */
        .macro  trap n, has_error
        .globl  pv_trap_\n
pv_trap_\n:
        popq    %rcx
        popq    %r11
        .if     !\has_error
        pushq   $0
        .endif
        pushq   $\n
        jmp     trap_common
        .endm
        trap    6, 0
        trap    13, 1
        trap    14, 1
trap_common:
        pushq   %rax
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        movq    %rsp, %rdi
        call    pv_trap
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rdi
        popq    %rsi
        popq    %rdx
        popq    %rcx
        popq    %rax
        addq    $16, %rsp
        pushq   $0                      /* flags of the frame that iret takes: RIP and on follow */
        pushq   %rcx
        pushq   %r11
        pushq   %rax
        movl    $23, %eax
        syscall

pv_event_entry:
        popq    %rcx
        popq    %r11
        incl    pv_events(%rip)
        pushq   $0
        pushq   %rcx
        pushq   %r11
        pushq   %rax
        movl    $23, %eax
        syscall

        .bss
        .balign 4096
        .skip   16384
stack_end:
        .section .note.GNU-stack, "", @progbits
