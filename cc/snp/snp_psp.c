/* The PSP's mailbox: SEV-SNP Firmware ABI, chapter 4. One command at a time, by polling. */
#include "snp.h"

#include "arch/boot.h"
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

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
    uint64_t end = clock_ns() + SNP_PSP_TIMEOUT_NS;

    do {
        *response = snp_hw_psp_read(PSP_REG_CMDRESP);
        if ((*response & PSP_RESPONSE) != 0) {
            return true;
        }
        cpu_relax();
    } while (clock_ns() < end);
    return false;
}

void snp_psp_hold(void)
{
    lock(&psp.lock);
}

void snp_psp_release(void)
{
    unlock(&psp.lock);
}

enum snp_status snp_psp_lost(enum snp_command cmd)
{
    psp.dead = true;
    log_error("sev-snp: the PSP does not answer command %xh: reset the machine", cmd);
    return SNP_HWERROR_UNSAFE;
}

enum snp_status snp_psp_ask(enum snp_command cmd)
{
    uint32_t response;

    REQUIRE(lock_held(&psp.lock));
    if (psp.dead) {
        return SNP_HWERROR_UNSAFE;
    }
    snp_hw_psp_write(PSP_REG_CMDRESP, PSP_CMD(cmd));
    return wait_response(&response) ? (enum snp_status)PSP_STATUS(response) : snp_psp_lost(cmd);
}

enum snp_status snp_psp_send(enum snp_command cmd, pa_t buf)
{
    if (!psp.dead) {
        snp_hw_psp_write(PSP_REG_ADDR_LOW, (uint32_t)buf.v);
        snp_hw_psp_write(PSP_REG_ADDR_HIGH, (uint32_t)(buf.v >> 32));
    }
    return snp_psp_ask(cmd);
}

enum snp_status snp_psp(enum snp_command cmd, void *buf, size_t len)
{
    enum snp_status st = SNP_HWERROR_UNSAFE;

    REQUIRE(len <= PAGE_SIZE);
    snp_psp_hold();
    if (!psp.dead) {
        memcpy(pa_to_hva(psp.buf), buf, len);
        st = snp_psp_send(cmd, psp.buf);
    }
    if (!psp.dead) {
        memcpy(buf, pa_to_hva(psp.buf), len);
    }
    snp_psp_release();
    return st;
}
