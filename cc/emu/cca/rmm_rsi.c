/* What a realm asks the RMM for (B5.3). The lock is held; X0 on are the realm's. */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

static enum rec_next answer(struct rec *rec, enum rsi_status st)
{
    rec->gprs[0] = st;
    return REC_RESUME;
}

static enum rec_next version(struct rec *rec)
{
    uint64_t wanted = rec->gprs[1];

    rec->gprs[1] = RSI_REVISION_1_0;
    rec->gprs[2] = RSI_REVISION_1_0;
    return answer(rec, wanted == RSI_REVISION_1_0 ? RSI_SUCCESS : RSI_ERROR_INPUT);
}

static enum rec_next features(struct rec *rec)
{
    rec->gprs[1] = 0;
    return answer(rec, RSI_SUCCESS);
}

/* Index 0 is the RIM, 1 to 4 the REMs. */
static enum rec_next measurement_read(struct rec *rec, const struct rd *rd)
{
    uint64_t index = rec->gprs[1];

    if (index > RMM_REMS) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    memcpy(&rec->gprs[1], index == 0 ? rd->rim : rd->rem[index - 1], RMM_HASH_MAX);
    return answer(rec, RSI_SUCCESS);
}

static enum rec_next measurement_extend(struct rec *rec, struct rd *rd)
{
    uint64_t index = rec->gprs[1], size = rec->gprs[2];

    if (index < 1 || index > RMM_REMS || size > RMM_HASH_MAX) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    measure_extend(rd, (unsigned int)index - 1, &rec->gprs[3], size);
    return answer(rec, RSI_SUCCESS);
}

/*
 * The realm's buffer, which is aligned to what it holds. NULL, and next says what comes of it: what
 * is no RAM is the realm's error; RAM that is not there is brought by the host, and the call made
 * anew.
 */
static void *buffer(struct rec *rec, const struct rd *rd, uint64_t ipa, size_t len,
                    struct rmi_rec_exit *x, enum rec_next *next)
{
    void *p = realm_memory(rd, ipa, len);
    struct walk w;

    if (p != NULL) {
        return p;
    }
    if (ipa_protected(rd, ipa)) {
        rtt_walk(rd, ipa, 3, &w);
    }
    if (!ipa_protected(rd, ipa) || rtte_ripas(*w.entry) == RIPAS_EMPTY) {
        *next = answer(rec, RSI_ERROR_INPUT);
        return NULL;
    }
    rec->cpu.pc -= 4;
    *next = rec_wants(rd, ipa, x);
    return NULL;
}

static enum rec_next realm_config(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x)
{
    struct rsi_realm_config *config;
    enum rec_next next;

    if (!IS_ALIGNED(rec->gprs[1], GRANULE_SIZE)) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    config = buffer(rec, rd, rec->gprs[1], sizeof(*config), x, &next);
    if (config == NULL) {
        return next;
    }
    memset(config, 0, sizeof(*config));
    config->ipa_width = rd->ipa_bits;
    config->hash_algo = rd->hash;
    memcpy(config->rpv, rd->rpv, sizeof(config->rpv));
    return answer(rec, RSI_SUCCESS);
}

/* X1 base, X2 top, X3 RIPAS, X4 flags: the host decides how far it goes. */
static enum rec_next ipa_state_set(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x)
{
    uint64_t base = rec->gprs[1], top = rec->gprs[2];

    if (base >= top || !IS_ALIGNED(base | top, GRANULE_SIZE) || !ipa_protected(rd, top - 1) ||
        rec->gprs[3] > RIPAS_RAM || (rec->gprs[4] & ~RSI_CHANGE_DESTROYED) != 0) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    rec->ripas_base = rec->ripas_addr = base;
    rec->ripas_top = top;
    rec->ripas_value = (uint8_t)rec->gprs[3];
    rec->ripas_flags = rec->gprs[4];
    rec->ripas_pending = true;
    x->exit_reason = RMI_EXIT_RIPAS_CHANGE;
    x->ripas_base = base;
    x->ripas_top = top;
    x->ripas_value = rec->ripas_value;
    return REC_LEAVE;
}

/* X1 base, X2 top: the RIPAS of base in X2, and in X1 how far it reaches. */
static enum rec_next ipa_state_get(struct rec *rec, const struct rd *rd)
{
    uint64_t at = rec->gprs[1], top = rec->gprs[2];
    enum rmi_ripas ripas;
    struct walk w;

    if (at >= top || !IS_ALIGNED(at | top, GRANULE_SIZE) || !ipa_protected(rd, top - 1)) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    rtt_walk(rd, at, 3, &w);
    ripas = rtte_ripas(*w.entry);
    do {
        w.base += w.size;
        w.entry++;
    } while (w.base < top && w.base / w.size % 512 != 0 && !rtte_is_table(*w.entry, w.level) &&
             rtte_ripas(*w.entry) == ripas);
    rec->gprs[1] = MIN(w.base, top);
    rec->gprs[2] = ripas;
    return answer(rec, RSI_SUCCESS);
}

static enum rec_next token_init(struct rec *rec, const struct rd *rd)
{
    rec->token_len = token_make(rd, (const uint8_t *)&rec->gprs[1], port_realm(rec->aux),
                                GRANULE_SIZE);
    rec->token_done = 0;
    rec->token_pending = rec->token_len != 0;
    rec->gprs[1] = rec->token_len;
    return answer(rec, rec->token_pending ? RSI_SUCCESS : RSI_ERROR_UNKNOWN);
}

/* X1 IPA of a granule, X2 offset in it, X3 room; X1 bytes written. */
static enum rec_next token_continue(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x)
{
    uint64_t ipa = rec->gprs[1], offset = rec->gprs[2], room = rec->gprs[3];
    uint32_t n = rec->token_len - rec->token_done;
    enum rec_next next;
    void *to;

    if (!IS_ALIGNED(ipa, GRANULE_SIZE) || offset >= GRANULE_SIZE ||
        room > GRANULE_SIZE - offset || !ipa_protected(rd, ipa)) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    if (!rec->token_pending) {
        return answer(rec, RSI_ERROR_STATE);
    }
    n = (uint32_t)MIN((uint64_t)n, room);
    to = buffer(rec, rd, ipa + offset, n, x, &next);
    if (to == NULL) {
        return next;
    }
    memcpy(to, (uint8_t *)port_realm(rec->aux) + rec->token_done, n);
    rec->token_done += n;
    rec->gprs[1] = n;
    if (rec->token_done < rec->token_len) {
        return answer(rec, RSI_INCOMPLETE);
    }
    rec->token_pending = false;
    return answer(rec, RSI_SUCCESS);
}

static enum rec_next host_call(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x)
{
    const struct rsi_host_call *call;
    enum rec_next next;

    if (!IS_ALIGNED(rec->gprs[1], sizeof(*call))) {
        return answer(rec, RSI_ERROR_INPUT);
    }
    call = buffer(rec, rd, rec->gprs[1], sizeof(*call), x, &next);
    if (call == NULL) {
        return next;
    }
    rec->host_call_pending = true;
    rec->host_call_ipa = rec->gprs[1];
    x->exit_reason = RMI_EXIT_HOST_CALL;
    x->imm = call->imm;
    memcpy(x->gprs, call->gprs, sizeof(x->gprs));
    return REC_LEAVE;
}

enum rec_next rsi_call(struct rec *rec, struct rd *rd, struct rmi_rec_exit *x)
{
    switch ((enum rsi_command)(uint32_t)rec->gprs[0]) {
    case RSI_VERSION:
        return version(rec);
    case RSI_FEATURES:
        return features(rec);
    case RSI_MEASUREMENT_READ:
        return measurement_read(rec, rd);
    case RSI_MEASUREMENT_EXTEND:
        return measurement_extend(rec, rd);
    case RSI_ATTESTATION_TOKEN_INIT:
        return token_init(rec, rd);
    case RSI_ATTESTATION_TOKEN_CONTINUE:
        return token_continue(rec, rd, x);
    case RSI_REALM_CONFIG:
        return realm_config(rec, rd, x);
    case RSI_IPA_STATE_SET:
        return ipa_state_set(rec, rd, x);
    case RSI_IPA_STATE_GET:
        return ipa_state_get(rec, rd);
    case RSI_HOST_CALL:
        return host_call(rec, rd, x);
    }
    return answer(rec, RSI_ERROR_INPUT);
}
