/*
 * SNP evidence in its three forms. The head is made plausible, so that the fuzzer spends its time
 * behind detection: in the report's fields and the certificate table.
 */
#include <attest/evidence.h>
#include <attest/reader.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct attest_evidence_ops *ops = attest_kind_named("sev-snp");
    uint8_t *copy = malloc(size + 1);
    struct attest_error err;
    void *ev;

    memcpy(copy, data, size);
    if (size > 0x60 && (data[0] & 0x80) != 0) {
        st32le(copy, 2 + (data[0] & 3));
        st32le(copy + 0x34, 1);
        copy[0x0a] |= 2;
    }
    if (ops->detect(copy, size) && ops->parse(copy, size, &ev, &err) == ATTEST_OK) {
        json_t *j = ops->claims(ev);

        if (json_object_size(j) < 20) {
            abort();
        }
        json_decref(j);
        ops->free(ev);
    }
    free(copy);
    return 0;
}
