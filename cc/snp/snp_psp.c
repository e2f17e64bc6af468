/* The PSP's mailbox: SEV-SNP Firmware ABI, chapter 4. One command at a time, by polling. */
#include "snp.h"

#include "arch/boot.h"
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

#define TIMEOUT_NS 30000000000ull /* INIT_EX clears the RMP of a big machine */

static struct {
    struct lock lock;
    pa_t buf;
    bool dead;
} psp;

enum abi_status snp_psp_start(void)
{
    if (!snp_hw_psp_find()) {
        log_error("sev-snp: no PSP among the PCI functions: enable it in the firmware's setup");
        return ABI_NOT_SUPPORTED;
    }
    return page_alloc(ORDER_4K, PAGE_HV, 0, &psp.buf) ? ABI_OK : ABI_NO_MEMORY;
}

static bool wait_response(uint32_t *response)
{
    uint64_t end = clock_ns() + TIMEOUT_NS;

    do {
        *response = snp_hw_psp_read(PSP_REG_CMDRESP);
        if ((*response & PSP_RESPONSE) != 0) {
            return true;
        }
        cpu_relax();
    } while (clock_ns() < end);
    return false;
}

enum snp_status snp_psp(enum snp_command cmd, void *buf, size_t len)
{
    enum snp_status st = SNP_HWERROR_UNSAFE;
    uint32_t response;

    REQUIRE(len <= PAGE_SIZE);
    lock(&psp.lock);
    if (!psp.dead) {
        memcpy(pa_to_hva(psp.buf), buf, len);
        snp_hw_psp_write(PSP_REG_ADDR_LOW, (uint32_t)psp.buf.v);
        snp_hw_psp_write(PSP_REG_ADDR_HIGH, (uint32_t)(psp.buf.v >> 32));
        snp_hw_psp_write(PSP_REG_CMDRESP, PSP_CMD(cmd));
        psp.dead = !wait_response(&response);
        if (psp.dead) {
            log_error("sev-snp: the PSP does not answer command %xh: reset the machine", cmd);
        } else {
            memcpy(buf, pa_to_hva(psp.buf), len);
            st = (enum snp_status)PSP_STATUS(response);
        }
    }
    unlock(&psp.lock);
    return st;
}
