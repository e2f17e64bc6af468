#include "tdx_keys.h"

#include "../tdx_chip.h"

void tdx_key(const char *what, uint8_t d[32])
{
    tdx_chip_secret(what, d, 32);
    d[0] &= 0x7f; /* below the group's order, whose first byte is FFh */
    d[31] |= 1;
}

void tdx_qe_mrsigner(uint8_t mr[32])
{
    tdx_chip_secret("signer of the quoting enclave", mr, 32);
}
