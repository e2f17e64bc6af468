#include "emu_digest.h"

#include <openssl/evp.h>
#include <string.h>

void digest_extend(uint8_t ld[48], const struct digest_page *p)
{
    uint8_t info[0x70] = {0};

    memcpy(info, ld, 48);
    if (p->type == 1 || p->type == 2) {
        EVP_Digest(p->contents, 4096, info + 48, NULL, EVP_sha384(), NULL);
    }
    info[0x60] = 0x70;
    info[0x62] = (uint8_t)p->type;
    info[0x64] = p->vmpl3;
    info[0x65] = p->vmpl2;
    info[0x66] = p->vmpl1;
    for (unsigned int i = 0; i < 8; i++) {
        info[0x68 + i] = (uint8_t)(p->gpa >> (8 * i));
    }
    EVP_Digest(info, sizeof(info), ld, NULL, EVP_sha384(), NULL);
}
