/*
 * The attestation token (A7.2): a realm part under the Realm Attestation Key, which the monitor
 * gives, and a platform part that binds that key. The lock is held.
 */
#include "cca_cose.h"
#include "hv/string.h"
#include "rmm_port.h"

#define TAG_TOKEN      399u
#define LABEL_PLATFORM 44234u
#define LABEL_REALM    44241u
#define CLAIMS_MAX     1024u
#define PLATFORM_MAX   1536u

static const char *hash_name(enum rmi_hash h)
{
    return h == RMI_HASH_SHA_256 ? "sha-256" : "sha-512";
}

static void claims(struct cose_out *o, const struct rd *rd, const uint8_t challenge[64],
                   const uint8_t rak[CCA_RAK_CLAIM])
{
    size_t size = rmm_hash_size(rd->hash);

    cose_head(o, COSE_MAP, 8);
    cose_label(o, 265);
    cose_text(o, "tag:arm.com,2023:realm#1.0.0");
    cose_label(o, 10);
    cose_bytes(o, challenge, 64);
    cose_label(o, 44235);
    cose_bytes(o, rd->rpv, sizeof(rd->rpv));
    cose_label(o, 44236);
    cose_text(o, hash_name(rd->hash));
    cose_label(o, 44237);
    cose_bytes(o, rak, CCA_RAK_CLAIM);
    cose_label(o, 44238);
    cose_bytes(o, rd->rim, size);
    cose_label(o, 44239);
    cose_head(o, COSE_ARRAY, RMM_REMS);
    for (unsigned int i = 0; i < RMM_REMS; i++) {
        cose_bytes(o, rd->rem[i], size);
    }
    cose_label(o, 44240);
    cose_text(o, "sha-256");
}

/* A byte string that holds a COSE_Sign1. */
static void put_realm(struct cose_out *o, const uint8_t key[EMU_P384], const struct cose_out *c)
{
    static uint8_t sign[CLAIMS_MAX + 128];
    struct cose_out s = {sign, sizeof(sign), 0, true};

    cose_sign1(&s, key, c->p, c->used);
    o->ok = o->ok && s.ok;
    cose_bytes(o, sign, s.used);
}

uint32_t token_make(const struct rd *rd, const uint8_t challenge[64], void *to, size_t size)
{
    static uint8_t platform[PLATFORM_MAX], payload[CLAIMS_MAX];
    struct cose_out o = {to, size, 0, true}, c = {payload, sizeof(payload), 0, true};
    uint8_t key[EMU_P384], rak[CCA_RAK_CLAIM], digest[RMM_HASH_MAX];
    uint32_t n;

    if (!port_realm_key(key)) {
        return 0;
    }
    port_fp_begin();
    cose_key(key, rak);
    port_fp_end();
    rmm_hash(RMI_HASH_SHA_256, rak, sizeof(rak), digest);
    n = port_platform_token(digest, platform, sizeof(platform));
    claims(&c, rd, challenge, rak);
    if (n == 0 || !c.ok) {
        return 0;
    }
    cose_head(&o, COSE_TAG, TAG_TOKEN);
    cose_head(&o, COSE_MAP, 2);
    cose_label(&o, LABEL_PLATFORM);
    cose_bytes(&o, platform, n);
    cose_label(&o, LABEL_REALM);
    port_fp_begin();
    put_realm(&o, key, &c);
    port_fp_end();
    memset(key, 0, sizeof(key));
    return o.ok ? (uint32_t)o.used : 0;
}
