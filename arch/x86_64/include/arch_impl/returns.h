/*
 * For assembly: overwrites the last n return predictions, which a guest left. A RET that still uses
 * one of these speculates into an INT3. AMD, "Software Techniques for Managing Speculation":
 * 32 are all that chips have which do not forget them at the exit (those with Automatic IBRS do).
 */
        .macro fill_returns n
        .rept   \n
        call    1f
        int3
1:
        .endr
        addq    $(8 * \n), %rsp
        .endm
