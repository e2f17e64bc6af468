/*
 * The emulated chip's identity. Every key follows from the public text below, so certificates are
 * the same in each build and nobody can mistake them for secrets.
 */
#include "snp_psp.h"

#include "hv/string.h"

static const char root_text[] = "EMULATED SEV-SNP chip, not secret, not AMD's";

uint32_t chip_report_version = 2;

static void derive(const char *what, uint8_t d[EMU_P384])
{
    emu_p384_derive(root_text, sizeof(root_text) - 1, what, strlen(what), d);
}

void chip_id(uint8_t id[64])
{
    static const char info[] = "chip id";

    emu_kdf(root_text, sizeof(root_text) - 1, info, sizeof(info) - 1, id, 64);
}

void chip_ark(uint8_t d[EMU_P384])
{
    derive("ARK", d);
}

void chip_ask(uint8_t d[EMU_P384])
{
    derive("ASK", d);
}

/* Versioned: another TCB is another key (57230, chapter 1). */
void chip_vcek(uint8_t d[EMU_P384])
{
    uint8_t info[4 + 64 + 8] = "VCEK";
    const uint64_t tcb = CHIP_TCB;

    chip_id(info + 4);
    memcpy(info + 68, &tcb, sizeof(tcb));
    emu_p384_derive(root_text, sizeof(root_text) - 1, info, sizeof(info), d);
}

void chip_key_root(uint8_t root[32])
{
    static const char info[] = "key derivation root";

    emu_kdf(root_text, sizeof(root_text) - 1, info, sizeof(info) - 1, root, 32);
}
