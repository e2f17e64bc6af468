/* Evidence of the host: quotes of its TPM, and the log that leads to them. */
#include "hv/abi.h"
#include "hv/measure.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define LOG_PART 512u /* at a time, through our stack */

struct sink {
    struct vm *vm;
    gpa_t at;
    uint64_t room, told;
};

static enum abi_status put(struct sink *s, const void *bytes, size_t len)
{
    enum abi_status st = len > s->room - s->told
                             ? ABI_BAD_ARG
                             : guestmem_write(s->vm, gpa(s->at.v + s->told), bytes, len);

    s->told += st == ABI_OK ? len : 0;
    return st;
}

static enum abi_status put_quote(struct sink *s, const struct evidence *e, uint32_t pcrs)
{
    struct abi_host_quote head = {
        .message = e->quote.message_len,
        .signature = e->quote.signature_len,
        .key = e->quote.key_len,
        .pcrs = pcrs,
        .log = e->log_len,
    };
    enum abi_status st = put(s, &head, sizeof(head));

    st = st == ABI_OK ? put(s, e->quote.message, e->quote.message_len) : st;
    st = st == ABI_OK ? put(s, e->quote.signature, e->quote.signature_len) : st;
    st = st == ABI_OK ? put(s, e->quote.key, e->quote.key_len) : st;
    for (unsigned int i = 0; i < TPM_PCRS && st == ABI_OK; i++) {
        if ((pcrs >> i & 1) != 0) {
            st = put(s, e->pcr[i], SHA256_SIZE);
        }
    }
    return st;
}

/* Room for all that a quote may be is asked for first: a quote is not made for nothing. */
static enum abi_status quote(struct sink *s, const struct abi_evidence_request *ask)
{
    struct evidence_request r = {.owner = s->vm->id, .pcrs = ask->pcrs};
    struct evidence e;
    enum abi_status st;

    if (ask->pcrs == 0 || ask->pcrs >> TPM_PCRS != 0 || ask->offset != 0 ||
        s->room < ABI_MAX_QUOTE_BYTES) {
        return ABI_BAD_ARG;
    }
    memcpy(r.nonce, ask->nonce, sizeof(r.nonce));
    st = measure_quote(&r, &e);
    return st == ABI_OK ? put_quote(s, &e, ask->pcrs) : st;
}

static enum abi_status log_part(struct sink *s, const struct abi_evidence_request *ask)
{
    uint8_t part[LOG_PART];
    uint64_t from = ask->offset;
    enum abi_status st;
    uint32_t len;

    do {
        st = measure_log(from, part, (uint32_t)MIN(s->room - s->told, LOG_PART), &len);
        st = st == ABI_OK ? put(s, part, len) : st;
        from += len;
    } while (st == ABI_OK && len == LOG_PART);
    return st;
}

static enum abi_status answer(struct sink *s)
{
    struct abi_evidence_request ask;
    enum abi_status st = guestmem_read(s->vm, s->at, &ask, sizeof(ask));

    if (st != ABI_OK) {
        return st;
    }
    if ((ask.reserved[0] | ask.reserved[1]) != 0) {
        return ABI_RESERVED_BITS;
    }
    switch (ask.kind) {
    case ABI_EVIDENCE_QUOTE:
        return quote(s, &ask);
    case ABI_EVIDENCE_LOG:
        return log_part(s, &ask);
    default:
        return ABI_BAD_FORMAT;
    }
}

enum abi_status call_HOST_EVIDENCE(struct vcpu *v, struct call *c)
{
    struct buf_range r = buf_of_call(c, c->arg[2], 1);
    struct sink s = {.vm = v->vm, .room = c->arg[2]};
    enum abi_status st;

    if (v->vm->abi_version < ABI_VERSION_1_1) {
        return ABI_NOT_BUILT; /* as it was then */
    }
    if (r.len < sizeof(struct abi_evidence_request)) {
        return ABI_BAD_ARG;
    }
    st = buf_acquire(v->vm, &r, &s.at);
    if (st != ABI_OK) {
        return st;
    }
    st = answer(&s);
    buf_release(v->vm, r.handle);
    c->value[0] = s.told;
    return st;
}
