/* Inside the emulated PSP. ABI: SEV-SNP Firmware ABI Specification (56860). */
#ifndef SNP_PSP_H
#define SNP_PSP_H

#include "emu_crypto.h"
#include "snp_emu.h"

/* ABI chapters 6 and 8: what snp_spec.h does not name. */
#define PSP_CMD_GUEST_STATUS 0x092u /* ABI 8.11 */

enum psp_guest_state { GSTATE_INIT, GSTATE_LAUNCH, GSTATE_RUNNING }; /* ABI 3.3 */

/* A guest context: on the chip, sealed in its context page; here, where no software reaches it. */
struct psp_guest {
    uint64_t page; /* address of the context page; 0: free */
    enum psp_guest_state state;
    uint32_t asid; /* 0: not activated */
    uint64_t policy, launch_tcb;
    uint64_t messages[4]; /* by VMPCK */
    uint32_t svn, tsc_khz;
    bool author_en, vcek_disabled;
    uint8_t gosvw[16];
    uint8_t vmpck[4][32], vmrk[32];
    uint8_t ld[EMU_SHA384];
    uint8_t family_id[16], image_id[16], host_data[32], report_id[32];
    uint8_t id_key_digest[48], author_key_digest[48];
};

/* ---- services of snp_psp.c; addresses come from outside ---- */

/* False when part of [at, +len) is not RAM. */
MUST_CHECK bool psp_read(uint64_t at, void *dst, size_t len);
MUST_CHECK bool psp_write(uint64_t at, const void *src, size_t len);
/* May the firmware write there? INVALID_PARAM when it crosses a page, or INVALID_PAGE_STATE. */
MUST_CHECK uint32_t psp_writable(uint64_t at, size_t len);
/* A page's RMP entry; the page is aligned to `size` (RMP_4K, RMP_2M) and RAM. */
MUST_CHECK uint32_t psp_page(uint64_t at, unsigned int size, struct emu_rmp *e);
bool psp_is_zero(const void *p, size_t len);
/* The guest of that context page in that state. */
MUST_CHECK uint32_t psp_guest_of(uint64_t page, struct psp_guest **g);
MUST_CHECK uint32_t psp_guest_in(uint64_t page, enum psp_guest_state state, struct psp_guest **g);

/* Is that a page of the RMP itself? */
bool psp_in_rmp(uint64_t at);

/* Page states: ABI chapter 5 */
bool psp_is_firmware(const struct emu_rmp *e);
bool psp_is_pre_guest(const struct emu_rmp *e);

/* A command, whatever way it came. */
uint32_t psp_run(uint32_t id, uint64_t at);

/* ---- the command ring: snp_psp_ring.c, under the mailbox's lock ---- */
void psp_ring_reset(void);
bool psp_ring_on(void);
uint32_t psp_ring_buffer(const void *cmd);
/* One command, by what is in those registers; *head is what the head says then. False: idle. */
MUST_CHECK bool psp_ring_step(uint32_t control, uint32_t tail, uint32_t *head);
/* The status pages can be taken back, where there is an RMP. */
void psp_ring_leave(bool rmp_ready);

/* ---- guests: snp_psp_guest.c ---- */
void psp_guests_reset(void);
uint32_t psp_guests_count(void);
uint32_t psp_gctx_create(const void *cmd);
uint32_t psp_decommission(const void *cmd);
uint32_t psp_activate(const void *cmd);
uint32_t psp_guest_status(const void *cmd);
uint32_t psp_df_flush(const void *cmd);
uint32_t psp_page_reclaim(const void *cmd);
bool psp_flush_needed(void);
/* After INIT no ASID is known to be clean. */
void psp_flush_demand(void);

/* ---- launch: snp_psp_launch.c, snp_psp_cpuid.c, snp_psp_id.c ---- */
uint32_t psp_launch_start(const void *cmd);
uint32_t psp_launch_update(const void *cmd);
uint32_t psp_launch_finish(const void *cmd);
/* Corrects what the processor cannot back; SNP_INVALID_PARAM when something was wrong. */
uint32_t psp_cpuid_check(struct snp_cpuid_page *page);
uint32_t psp_id_check(struct psp_guest *g, const struct snp_launch_finish *f);

/* ---- guest messages: snp_psp_message.c, snp_psp_report.c, snp_psp_key.c ---- */
uint32_t psp_guest_request(const void *cmd);
/* Payload in, payload out (both 4000 bytes, out zeroed); false: not a request of that type. */
struct psp_payload {
    const uint8_t *in;
    size_t in_len;
    unsigned int vmpck, version;
    uint8_t *out;
    size_t out_len;
};
uint32_t psp_report_request(const struct psp_guest *g, struct psp_payload *p);
uint32_t psp_key_request(const struct psp_guest *g, struct psp_payload *p);
/* Statuses in responses: ABI tables 22 and 25 */
#define PSP_MSG_OK            0u
#define PSP_MSG_INVALID_PARAM 0x16u
#define PSP_MSG_INVALID_KEY   0x27u

/* ---- who the chip is: snp_chip.c ---- */

/* ABI table 3, Milan: 0 boot loader, 1 TEE, 6 SNP, 7 microcode */
#define CHIP_TCB       0xdb18000000000004ull
#define CHIP_API_MAJOR 1u
#define CHIP_API_MINOR 55u
#define CHIP_BUILD     21u
#define CHIP_FAMILY    0x19u
#define CHIP_MODEL     0x01u
#define CHIP_STEPPING  0x01u
#define CHIP_SMT       BIT(0) /* PLATFORM_INFO */

void chip_id(uint8_t id[64]);
/* Private halves. Anybody can compute them: that is what makes the root a test root. */
void chip_ark(uint8_t d[EMU_P384]);
void chip_ask(uint8_t d[EMU_P384]);
void chip_vcek(uint8_t d[EMU_P384]);
/* Root of the keys that guests derive. */
void chip_key_root(uint8_t root[32]);
extern uint32_t chip_report_version;

#endif
