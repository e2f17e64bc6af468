#include "tdx_chip.h"

#include "hv/string.h"

#include "emu_crypto.h"
#include "emu_sha.h"

static const char root_text[] = "EMULATED TDX module, not secret, not Intel's";
static const char seam_text[] = "EMULATED TDX module 1.5";

const uint8_t tdx_chip_cpusvn[16] = {1};
const uint8_t tdx_chip_tcb_svn[16] = {1, 5};

void tdx_chip_secret(const char *what, uint8_t *out, size_t len)
{
    emu_kdf(root_text, sizeof(root_text) - 1, what, strlen(what), out, len);
}

void tdx_chip_mrseam(uint8_t mrseam[48])
{
    emu_sha384(seam_text, sizeof(seam_text) - 1, mrseam);
}

void tdx_chip_mac(const struct tdx_report_mac *m, uint8_t mac[32])
{
    uint8_t key[32];

    tdx_chip_secret("REPORTMACSTRUCT", key, sizeof(key));
    emu_hmac_sha256(key, m, offsetof(struct tdx_report_mac, mac), mac);
}
