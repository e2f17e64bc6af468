/* From verdict to attestation result. */
#include <attest/ear.h>

#include <string.h>

#define PROFILE "tag:github.com,2023:veraison/ear"
#define DEVELOPER "Cloister"

/* AR4SI section 2.3: 2-31 affirm, 32-95 warn, 96-127 contraindicate. */
enum {
    INSTANCE_TRUSTWORTHY = 2,
    INSTANCE_UNTRUSTWORTHY = 96,
    INSTANCE_UNRECOGNISED = 97,
    CONFIG_APPROVED = 2,
    CONFIG_UNSAFE = 32,
    CONFIG_CONTRAINDICATED = 96,
    EXECUTABLES_BOOT_APPROVED = 3,
    EXECUTABLES_UNRECOGNISED = 33,
    EXECUTABLES_CONTRAINDICATED = 96,
    HARDWARE_GENUINE = 2,
    HARDWARE_UNSAFE = 32,
    HARDWARE_CONTRAINDICATED = 96,
    HARDWARE_UNRECOGNISED = 97
};

struct vector {
    int instance;
    int configuration;
    int executables;
    int hardware;
};

static void raise_to(int *claim, int value)
{
    *claim = value > *claim ? value : *claim;
}

/* Which claim a refusal speaks against. */
static void weigh(struct vector *t, enum attest_status st)
{
    switch (st) {
    case ATTEST_MEASUREMENT:
    case ATTEST_REPLAY:
        raise_to(&t->executables, EXECUTABLES_CONTRAINDICATED);
        break;
    case ATTEST_TCB:
    case ATTEST_TCB_STATUS:
    case ATTEST_REVOKED:
        raise_to(&t->hardware, HARDWARE_CONTRAINDICATED);
        break;
    case ATTEST_ROOT_UNTRUSTED:
    case ATTEST_CHAIN:
        raise_to(&t->hardware, HARDWARE_UNRECOGNISED);
        break;
    case ATTEST_IDENTITY:
    case ATTEST_NONCE:
    case ATTEST_BINDING:
    case ATTEST_SIGNATURE:
        raise_to(&t->instance, INSTANCE_UNTRUSTWORTHY);
        break;
    default:
        raise_to(&t->configuration, CONFIG_CONTRAINDICATED);
        break;
    }
}

static struct vector vector_of(const struct attest_verdict *v)
{
    const struct attest_root *root = attest_verdict_root(v);
    struct vector t = {INSTANCE_TRUSTWORTHY, CONFIG_APPROVED, EXECUTABLES_BOOT_APPROVED,
                       HARDWARE_GENUINE};

    for (size_t i = 0; i < attest_verdict_refusals(v); i++) {
        weigh(&t, attest_verdict_refusal(v, i)->status);
    }
    if (root != NULL && root->emulated) {
        raise_to(&t.hardware, HARDWARE_UNSAFE);
    }
    if (!attest_verdict_trusted(v) && attest_verdict_claims(v) == NULL) {
        /* Not authentic: nothing that it says counts. */
        raise_to(&t.instance, INSTANCE_UNRECOGNISED);
        raise_to(&t.executables, EXECUTABLES_UNRECOGNISED);
        raise_to(&t.configuration, CONFIG_UNSAFE);
    }
    return t;
}

static int worst(const struct vector *t)
{
    int w = t->instance;

    raise_to(&w, t->configuration);
    raise_to(&w, t->executables);
    raise_to(&w, t->hardware);
    return w;
}

const char *ear_status(const struct attest_verdict *v)
{
    struct vector t = vector_of(v);
    int w = worst(&t);

    return w < 32 ? "affirming" : w < 96 ? "warning" : "contraindicated";
}

static json_t *evidence(const struct attest_verdict *v, const struct ear_info *info)
{
    json_t *e = json_object();
    json_t *verdict = attest_verdict_json(v);

    if (info->runtime != NULL) {
        json_object_set(e, "runtime_data_claims", (json_t *)(uintptr_t)info->runtime);
    }
    if (attest_verdict_claims(v) != NULL) {
        json_object_set(e, attest_verdict_kind(v), (json_t *)(uintptr_t)attest_verdict_claims(v));
    }
    /* The claims stand above already. */
    json_object_del(verdict, "claims");
    json_object_set_new(e, "verdict", verdict);
    return e;
}

static json_t *submodule(const struct attest_verdict *v, const struct ear_info *info)
{
    struct vector t = vector_of(v);

    return json_pack("{s:s, s:{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}, s:s, s:o}", "ear.status",
                     ear_status(v), "ear.trustworthiness-vector", "instance-identity", t.instance,
                     "configuration", t.configuration, "executables", t.executables,
                     "file-system", 0, "hardware", t.hardware, "runtime-opaque", 0,
                     "storage-opaque", 0, "sourced-data", 0, "ear.appraisal-policy-id",
                     info->policy_id, "ear.veraison.annotated-evidence", evidence(v, info));
}

json_t *ear_claims(const struct attest_verdict *v, const struct ear_info *info)
{
    json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:{s:s, s:s}, s:{s:o}}", "eat_profile", PROFILE,
                          "iss", info->issuer, "iat", (json_int_t)info->issued, "exp",
                          (json_int_t)info->expires, "ear.verifier-id", "developer", DEVELOPER,
                          "build", info->build, "submods", "cpu0", submodule(v, info));

    if (j != NULL && info->nonce != NULL) {
        json_object_set_new(j, "eat_nonce", json_string(info->nonce));
    }
    return j;
}
