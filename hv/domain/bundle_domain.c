/* One node of /domains: docs/bundle.md, rule by rule. */
#include <libfdt.h>

#include "abi/abi.h"
#include "bundle_walk.h"
#include "hv/string.h"
#include "text.h"

#define MEMORY_STEP   SIZE_2M
#define MEMORY_MAX    GiB(1024)
#define WEIGHT_MAX    10000u
#define SECTOR        512u

enum {
    D_COMPATIBLE,
    D_ABI,
    D_FEATURES,
    D_PEERS,
    D_CREATE_MEMORY,
    D_CREATE_DOMAINS,
    D_CC,
    D_MEMORY,
    D_VCPUS,
    D_KERNEL,
    D_RAMDISK,
    D_CMDLINE,
    D_WEIGHT,
    D_AFFINITY,
    D_PREFAULT,
    D_ON_REBOOT,
    D_SNP,
    D_CCA = D_SNP + SNP_PROPS,
    D_TDX = D_CCA + CCA_PROPS,
    D_COUNT = D_TDX + TDX_PROPS,
};
enum { V_TYPE, V_IMAGE, V_SIZE, V_WRITABLE, V_NETWORK, V_MAC, V_COUNT };

static enum abi_status must_be(const struct walk *w, const struct prop *p, const char *want)
{
    const char *s = NULL;
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, &s);

    if (st == ABI_OK && strcmp(s, want) != 0) {
        return walk_fail(w, "%s: '%s' is not '%s'", p->name, s, want);
    }
    return st;
}

static enum abi_status parse_cc(const struct walk *w, const struct prop *p, enum cc_kind *cc)
{
#define CC_KIND_TEXT(name, text) [name] = text,
    static const char *const names[CC_KINDS] = {CC_KIND_LIST(CC_KIND_TEXT)};
#undef CC_KIND_TEXT
    const char *s = names[CC_NONE];
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, &s);

    if (st != ABI_OK) {
        return st;
    }
    for (unsigned int kind = 0; kind < CC_KINDS; kind++) {
        if (strcmp(s, names[kind]) == 0) {
            *cc = (enum cc_kind)kind;
            return ABI_OK;
        }
    }
    return walk_fail(w, "%s: '%s' is none of none, sev-snp, tdx, cca", p->name, s);
}

/* Ours, or that of an optional module, which plain domains alone can have. */
static enum abi_status parse_abi(const struct walk *w, const struct prop *p,
                                 struct domain_config *cfg)
{
    const char *s = NULL;
    enum abi_status st = prop_string(w, &p[D_ABI], NAME_MAX_LEN, &s);

    if (st != ABI_OK || strcmp(s, "xen") != 0) {
        return st == ABI_OK ? abi_parse(w, &p[D_ABI], &p[D_FEATURES], &p[D_PEERS], cfg) : st;
    }
    if (cfg->cc != CC_NONE) {
        return walk_fail(w, "%s: 'xen' is not for a confidential domain", p[D_ABI].name);
    }
    if (p[D_FEATURES].data != NULL || p[D_PEERS].data != NULL) {
        return walk_fail(w, "%s: 'xen' has neither features nor peers", p[D_ABI].name);
    }
    cfg->legacy_abi = s;
    return ABI_OK;
}

static enum abi_status parse_memory(const struct walk *w, const struct prop *p, uint64_t *memory)
{
    enum abi_status st = prop_u64(w, p, memory);

    if (st != ABI_OK) {
        return st;
    }
    if (!IS_ALIGNED(*memory, MEMORY_STEP)) {
        return walk_fail(w, "%s: %s is not a multiple of 2 MiB", p->name, size_text(*memory).s);
    }
    if (*memory < MEMORY_STEP || *memory > MEMORY_MAX) {
        return walk_fail(w, "%s: %s is not in 2 MiB to 1 TiB", p->name, size_text(*memory).s);
    }
    return ABI_OK;
}

static enum abi_status parse_reboot(const struct walk *w, const struct prop *p, bool *restart)
{
    const char *s = "restart";
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, &s);

    if (st != ABI_OK) {
        return st;
    }
    *restart = strcmp(s, "restart") == 0;
    if (!*restart && strcmp(s, "destroy") != 0) {
        return walk_fail(w, "%s: '%s' is neither restart nor destroy", p->name, s);
    }
    return ABI_OK;
}

/* The properties that say what kind of domain it is, and where from. */
static enum abi_status parse_images(const struct walk *w, const struct prop *p,
                                    struct domain_config *cfg)
{
    enum abi_status st = must_be(w, &p[D_COMPATIBLE], "cloister,domain-v1");

    if (st == ABI_OK) {
        st = parse_cc(w, &p[D_CC], &cfg->cc);
    }
    if (st == ABI_OK) {
        st = parse_abi(w, p, cfg);
    }
    if (st == ABI_OK) {
        st = quota_parse(w, &p[D_CREATE_MEMORY], &p[D_CREATE_DOMAINS], cfg);
    }
    if (st == ABI_OK) {
        st = prop_image(w, &p[D_KERNEL], &cfg->kernel);
    }
    if (st == ABI_OK) {
        st = prop_image(w, &p[D_RAMDISK], &cfg->ramdisk);
    }
    if (st == ABI_OK) {
        st = prop_string(w, &p[D_CMDLINE], CMDLINE_MAX_LEN, &cfg->cmdline);
    }
    return st;
}

static enum abi_status parse_resources(const struct walk *w, const struct prop *p,
                                       struct domain_config *cfg)
{
    enum abi_status st = parse_memory(w, &p[D_MEMORY], &cfg->memory);

    if (st == ABI_OK) {
        st = prop_u32(w, &p[D_VCPUS], 1, DOMAIN_VCPUS_MAX, &cfg->vcpus);
    }
    if (st == ABI_OK) {
        st = prop_u32(w, &p[D_WEIGHT], 1, WEIGHT_MAX, &cfg->weight);
    }
    if (st == ABI_OK) {
        st = prop_u64(w, &p[D_AFFINITY], &cfg->affinity);
    }
    if (st == ABI_OK && cfg->affinity == 0) {
        return walk_fail(w, "%s: names no CPU", p[D_AFFINITY].name);
    }
    if (st == ABI_OK) {
        st = prop_empty(w, &p[D_PREFAULT], &cfg->prefault);
    }
    if (st == ABI_OK) {
        st = parse_reboot(w, &p[D_ON_REBOOT], &cfg->restart_on_reboot);
    }
    return st;
}

/* Which properties each type may have, besides `type`. */
static const struct device_rule {
    const char *type;
    unsigned int may;
} device_rules[] = {
    [DEV_VIRTIO_CONSOLE] = {"virtio-console", 0},
    [DEV_VIRTIO_BLK] = {"virtio-blk", 1u << V_IMAGE | 1u << V_SIZE | 1u << V_WRITABLE},
    [DEV_VIRTIO_RNG] = {"virtio-rng", 0},
    [DEV_VIRTIO_NET] = {"virtio-net", 1u << V_NETWORK | 1u << V_MAC},
};

static enum abi_status parse_type(const struct walk *w, const struct prop *p,
                                  enum device_type *type)
{
    const char *s = NULL;
    enum abi_status st = prop_string(w, &p[V_TYPE], NAME_MAX_LEN, &s);

    if (st != ABI_OK) {
        return st;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(device_rules); i++) {
        if (strcmp(s, device_rules[i].type) != 0) {
            continue;
        }
        for (unsigned int j = V_TYPE + 1; j < V_COUNT; j++) {
            if (p[j].data != NULL && (device_rules[i].may & 1u << j) == 0) {
                return walk_fail(w, "%s: not for a %s", p[j].name, s);
            }
        }
        *type = (enum device_type)i;
        return ABI_OK;
    }
    return walk_fail(w, "%s: '%s' is no device type", p[V_TYPE].name, s);
}

static enum abi_status parse_blk(const struct walk *w, const struct prop *p,
                                 struct device_config *dev)
{
    struct blob image = {NULL, 0};
    const struct prop *from = p[V_IMAGE].data != NULL ? &p[V_IMAGE] : &p[V_SIZE];
    enum abi_status st = prop_image(w, &p[V_IMAGE], &image);

    dev->image = image.data;
    dev->size = image.len;
    if (st == ABI_OK) {
        st = prop_u64(w, &p[V_SIZE], &dev->size);
    }
    if (st == ABI_OK) {
        st = prop_empty(w, &p[V_WRITABLE], &dev->writable);
    }
    if (st != ABI_OK) {
        return st;
    }
    if ((p[V_IMAGE].data != NULL) == (p[V_SIZE].data != NULL)) {
        return walk_fail(w, "a virtio-blk has either image or size");
    }
    if (image.data == NULL && dev->writable) {
        return walk_fail(w, "%s: only with image", p[V_WRITABLE].name);
    }
    if (dev->size == 0 || dev->size > MEMORY_MAX || !IS_ALIGNED(dev->size, SECTOR)) {
        return walk_fail(w, "%s: %s: a disk is a multiple of %u bytes, up to 1 TiB", from->name,
                         size_text(dev->size).s, SECTOR);
    }
    dev->writable |= image.data == NULL;
    return ABI_OK;
}

static enum abi_status parse_mac(const struct walk *w, const struct prop *p,
                                 struct device_config *dev)
{
    static const uint8_t zero[6];

    if (p->data == NULL) {
        return ABI_OK;
    }
    if (p->len != sizeof(dev->mac)) {
        return walk_fail(w, "%s: %zu bytes, not 6", p->name, p->len);
    }
    if ((p->data[0] & 1) != 0 || memcmp(p->data, zero, sizeof(zero)) == 0) {
        return walk_fail(w, "%s: not a unicast address", p->name);
    }
    memcpy(dev->mac, p->data, sizeof(dev->mac));
    dev->has_mac = true;
    return ABI_OK;
}

static enum abi_status parse_net(const struct walk *w, const struct prop *p,
                                 struct device_config *dev)
{
    const char *network = NULL;
    enum abi_status st = prop_name(w, &p[V_NETWORK], &network);

    if (st != ABI_OK) {
        return st;
    }
    if (network == NULL) {
        return walk_fail(w, "%s: is missing", p[V_NETWORK].name);
    }
    memcpy(dev->network, network, strlen(network) + 1);
    return parse_mac(w, &p[V_MAC], dev);
}

static enum abi_status parse_device(const struct walk *w, int node, struct device_config *dev)
{
    struct prop p[V_COUNT] = {
        [V_TYPE] = {"type", true, NULL, 0},        [V_IMAGE] = {"image", false, NULL, 0},
        [V_SIZE] = {"size", false, NULL, 0},       [V_WRITABLE] = {"writable", false, NULL, 0},
        [V_NETWORK] = {"network", false, NULL, 0}, [V_MAC] = {"mac", false, NULL, 0},
    };
    const char *name = fdt_get_name(w->fdt, node, NULL);
    enum abi_status st = props_read(w, node, p, V_COUNT);

    if (st == ABI_OK) {
        st = no_subnodes(w, node);
    }
    if (st == ABI_OK) {
        st = parse_type(w, p, &dev->type);
    }
    if (st != ABI_OK) {
        return st;
    }
    memcpy(dev->name, name, strlen(name) + 1);
    if (dev->type == DEV_VIRTIO_BLK) {
        return parse_blk(w, p, dev);
    }
    return dev->type == DEV_VIRTIO_NET ? parse_net(w, p, dev) : ABI_OK;
}

static enum abi_status parse_devices(struct walk *w, int node, struct domain_config *cfg)
{
    unsigned int consoles = 0;
    enum abi_status st;
    int sub;

    walk_path(w, "domains/%s/devices", cfg->name);
    st = props_read(w, node, NULL, 0);
    if (st == ABI_OK) {
        st = subnodes_check(w, node, DOMAIN_DEVICES_MAX, &cfg->devices);
    }
    if (st != ABI_OK) {
        return st;
    }
    cfg->devices = 0;
    fdt_for_each_subnode (sub, w->fdt, node) {
        struct device_config *dev = &cfg->device[cfg->devices++];

        walk_path(w, "domains/%s/devices/%s", cfg->name, fdt_get_name(w->fdt, sub, NULL));
        st = parse_device(w, sub, dev);
        if (st != ABI_OK) {
            return st;
        }
        /* A domain has one console stream and one channel (docs/link.md). */
        if (dev->type == DEV_VIRTIO_CONSOLE && ++consoles > 1) {
            return walk_fail(w, "a domain has one virtio-console at most");
        }
    }
    return ABI_OK;
}

static enum abi_status parse_subnodes(struct walk *w, int node, struct domain_config *cfg)
{
    int devices = -1;
    int sub;

    fdt_for_each_subnode (sub, w->fdt, node) {
        const char *name = fdt_get_name(w->fdt, sub, NULL);

        if (strcmp(name, "devices") != 0) {
            return walk_fail(w, "unknown node '%.31s'", name);
        }
        if (devices >= 0) {
            return walk_fail(w, "node 'devices': given twice");
        }
        devices = sub;
    }
    return devices < 0 ? ABI_OK : parse_devices(w, devices, cfg);
}

/* The control port is one of its virtio console's. */
static enum abi_status check_port(struct walk *w, const struct domain_config *cfg)
{
    if ((cfg->abi_features >> ABI_FEATURE_CONTROL_PORT & 1) == 0) {
        return ABI_OK;
    }
    for (uint32_t i = 0; i < cfg->devices; i++) {
        if (cfg->device[i].type == DEV_VIRTIO_CONSOLE) {
            return ABI_OK;
        }
    }
    walk_path(w, "domains/%s", cfg->name);
    return walk_fail(w, "features: 'control-port' needs a device of type 'virtio-console'");
}

enum abi_status domain_parse(struct walk *w, int node, struct domain_config *cfg)
{
    struct prop p[D_COUNT] = {
        [D_COMPATIBLE] = {"compatible", true, NULL, 0},
        [D_ABI] = {"abi", true, NULL, 0},
        [D_FEATURES] = {"features", false, NULL, 0},
        [D_PEERS] = {"peers", false, NULL, 0},
        [D_CREATE_MEMORY] = {"create-memory", false, NULL, 0},
        [D_CREATE_DOMAINS] = {"create-domains", false, NULL, 0},
        [D_CC] = {"cc", false, NULL, 0},
        [D_MEMORY] = {"memory", true, NULL, 0},
        [D_VCPUS] = {"vcpus", false, NULL, 0},
        [D_KERNEL] = {"kernel", true, NULL, 0},
        [D_RAMDISK] = {"ramdisk", false, NULL, 0},
        [D_CMDLINE] = {"cmdline", false, NULL, 0},
        [D_WEIGHT] = {"weight", false, NULL, 0},
        [D_AFFINITY] = {"affinity", false, NULL, 0},
        [D_PREFAULT] = {"prefault", false, NULL, 0},
        [D_ON_REBOOT] = {"on-reboot", false, NULL, 0},
        SNP_PROP_LIST(D_SNP),
        CCA_PROP_LIST(D_CCA),
        TDX_PROP_LIST(D_TDX),
    };
    const char *name = fdt_get_name(w->fdt, node, NULL);
    enum abi_status st;

    memset(cfg, 0, sizeof(*cfg));
    memcpy(cfg->name, name, strlen(name) + 1);
    cfg->vcpus = 1;
    cfg->weight = DOMAIN_WEIGHT_NORMAL;
    cfg->affinity = UINT64_MAX;
    cfg->create_memory = UINT64_MAX;
    cfg->create_domains = UINT32_MAX;
    cfg->cmdline = "";
    walk_path(w, "domains/%s", name);
    st = props_read(w, node, p, D_COUNT);
    if (st == ABI_OK) {
        st = parse_images(w, p, cfg);
    }
    if (st == ABI_OK) {
        st = parse_resources(w, p, cfg);
    }
    if (st == ABI_OK) {
        st = snp_parse(w, &p[D_SNP], cfg);
    }
    if (st == ABI_OK) {
        st = cca_parse(w, &p[D_CCA], cfg);
    }
    if (st == ABI_OK) {
        st = tdx_parse(w, &p[D_TDX], cfg);
    }
    if (st == ABI_OK) {
        st = parse_subnodes(w, node, cfg);
    }
    return st == ABI_OK ? check_port(w, cfg) : st;
}
