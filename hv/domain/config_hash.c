/*
 * A domain's configuration hash: SHA-256 over its description in one canonical form, which
 * docs/bundle.md gives. Lines of text, so that printf and sha256sum make the same.
 */
#include "abi/abi.h"
#include "hv/domain.h"
#include "hv/string.h"

struct form {
    struct sha256 hash;
};

PRINTF(2, 3) static void put(struct form *f, const char *fmt, ...)
{
    char text[96];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    sha256_add(&f->hash, text, MIN((size_t)n, sizeof(text) - 1)); /* names and numbers: all fits */
}

static void put_digest(struct form *f, const char *key, const void *data, size_t len)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];

    sha256(data, len, digest);
    sha256_hex(digest, hex);
    put(f, "%s%s", key, hex);
}

/* "key=" and the digest of a content, unless there is none. */
static void blob_line(struct form *f, const char *key, struct blob b)
{
    if (b.len != 0) {
        put_digest(f, key, b.data, b.len);
        put(f, "\n");
    }
}

static void number_line(struct form *f, const char *key, uint64_t value, uint64_t otherwise)
{
    if (value != otherwise) {
        put(f, "%s%llu\n", key, (unsigned long long)value);
    }
}

static void word_line(struct form *f, const char *word, bool there)
{
    if (there) {
        put(f, "%s\n", word);
    }
}

static void abi_lines(struct form *f, const struct domain_config *cfg)
{
    if (cfg->legacy_abi != NULL) {
        put(f, "abi=%s\n", cfg->legacy_abi);
        return;
    }
    put(f, "abi=%u.%u\nfeatures=", cfg->abi_version >> 16, cfg->abi_version & 0xffff);
#define ABI_FEATURE(name, index, text, needs, since, standard, meaning)                            \
    if ((cfg->abi_features >> (index)&1) != 0) {                                                   \
        put(f, "%s ", text);                                                                       \
    }
#include "abi/feature.def"
    put(f, "\n");
    for (uint32_t i = 0; i < cfg->peers; i++) {
        put(f, "peer=%s\n", cfg->peer[i]);
    }
    number_line(f, "create-memory=", cfg->create_memory, UINT64_MAX);
    number_line(f, "create-domains=", cfg->create_domains, UINT32_MAX);
}

static void snp_lines(struct form *f, const struct snp_config *snp)
{
    number_line(f, "snp-policy=", snp->policy, SNP_POLICY_DEFAULT);
    blob_line(f, "snp-host-data=", snp->host_data);
    blob_line(f, "snp-id-block=", snp->id_block);
    blob_line(f, "snp-id-auth=", snp->id_auth);
    word_line(f, "snp-author-key", snp->author_key);
    blob_line(f, "snp-certs=", snp->certs);
}

static void tdx_lines(struct form *f, const struct tdx_config *tdx)
{
    blob_line(f, "tdx-mrconfigid=", tdx->mr[0]);
    blob_line(f, "tdx-mrowner=", tdx->mr[1]);
    blob_line(f, "tdx-mrownerconfig=", tdx->mr[2]);
}

static void cca_lines(struct form *f, const struct cca_config *cca)
{
    blob_line(f, "cca-rpv=", cca->rpv);
    word_line(f, "cca-hash=sha-256", cca->hash == CCA_SHA_256);
}

static void device_line(struct form *f, const struct device_config *d)
{
    static const char *const types[] = {
        [DEV_VIRTIO_CONSOLE] = "virtio-console",
        [DEV_VIRTIO_BLK] = "virtio-blk",
        [DEV_VIRTIO_RNG] = "virtio-rng",
        [DEV_VIRTIO_NET] = "virtio-net",
    };

    put(f, "device=%s %s", d->name, types[d->type]);
    if (d->type == DEV_VIRTIO_BLK && d->image != NULL) {
        put_digest(f, " image=", d->image, d->size);
        put(f, "%s", d->writable ? " writable" : "");
    } else if (d->type == DEV_VIRTIO_BLK) {
        put(f, " size=%llu", (unsigned long long)d->size);
    } else if (d->type == DEV_VIRTIO_NET) {
        put(f, " network=%s", d->network);
    }
    for (unsigned int i = 0; d->has_mac && i < sizeof(d->mac); i++) {
        put(f, "%s%02x", i == 0 ? " mac=" : "", d->mac[i]);
    }
    put(f, "\n");
}

static const char *kind_text(enum cc_kind kind)
{
#define CC_KIND_TEXT(name, text) [name] = text,
    static const char *const names[CC_KINDS] = {CC_KIND_LIST(CC_KIND_TEXT)};
#undef CC_KIND_TEXT

    return names[kind];
}

void config_hash(const struct domain_config *cfg, uint8_t hash[SHA256_SIZE])
{
    struct form f;

    sha256_begin(&f.hash);
    put(&f, "cloister,domain-v1 %s\n", cfg->name);
    abi_lines(&f, cfg);
    put(&f, "cc=%s\n", kind_text(cfg->cc));
    number_line(&f, "memory=", cfg->memory, 0);
    number_line(&f, "vcpus=", cfg->vcpus, 1);
    blob_line(&f, "kernel=", cfg->kernel);
    blob_line(&f, "ramdisk=", cfg->ramdisk);
    blob_line(&f, "cmdline=", (struct blob){(const uint8_t *)cfg->cmdline, strlen(cfg->cmdline)});
    number_line(&f, "weight=", cfg->weight, DOMAIN_WEIGHT_NORMAL);
    number_line(&f, "affinity=", cfg->affinity, UINT64_MAX);
    word_line(&f, "prefault", cfg->prefault);
    word_line(&f, "on-reboot=destroy", !cfg->restart_on_reboot);
    if (cfg->cc == CC_SEV_SNP) {
        snp_lines(&f, &cfg->snp);
    } else if (cfg->cc == CC_TDX) {
        tdx_lines(&f, &cfg->tdx);
    } else if (cfg->cc == CC_CCA) {
        cca_lines(&f, &cfg->cca);
    }
    for (uint32_t i = 0; i < cfg->devices; i++) {
        device_line(&f, &cfg->device[i]);
    }
    sha256_end(&f.hash, hash);
}
