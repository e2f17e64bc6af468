/* Between the attacked guest and the hostile hypervisor. */
#ifndef TESTS_ATTACK_ATTACK_H
#define TESTS_ATTACK_ATTACK_H

/* A GHCB MSR request that no specification has: bits 63:52 what, 51:12 the page, 11:0 this. */
#define ATTACK_REQ  0xa55u
#define ATTACK_RESP 0xa56u /* bits 63:12: a status */

#define ATTACK_REPLAY   1u /* takes the page from the guest, and gives it back */
#define ATTACK_SWAP     2u /* maps the next page in its place */
#define ATTACK_VMSA     3u /* changes RIP in the save area */
#define ATTACK_WRITE    4u /* writes to it */
#define ATTACK_FIRMWARE 5u /* lets the firmware write its status there */
#define ATTACK_SHARE    6u /* makes it shared, as if the guest had asked */

/* How the guest ends: GHCB termination, reason set 7; codes: */
#define END_SET        7u
#define END_GOOD       0u    /* what it checks held */
#define END_NOT_VALID  0x10u /* #VC 404h: the page is not validated any more */
#define END_STEP       0x11u /* #VC 41h: a #DB that was intercepted */
#define END_OTHER_VC   0x20u
#define END_NO_ATTACK  0xedu /* the hypervisor could not do it */
#define END_BROKEN     0xeeu /* the attack succeeded */
#define END_UNKNOWN    0xefu /* no attack of that name */

#endif
