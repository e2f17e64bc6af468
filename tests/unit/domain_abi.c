/* What a description says of the guest ABI: version, features, peers. */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"

#define G0 "/domains/guest0"

static void refuse(const char *node, const char *prop, const void *value, int len,
                   const char *message)
{
    void *fdt = bundle_good();
    char err[256];

    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, node), prop, value, len), 0);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, message);
    free(fdt);
}

static void config_with(const char *prop, const void *value, int len, struct domain_config *d)
{
    void *fdt = bundle_good();
    struct bundle b;
    char err[256] = "";

    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, G0), prop, value, len), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, d);
    free(fdt);
}

#define WORDS(text) text, (int)sizeof(text)

static void features_are_all_but_capabilities_unless_it_says_which(void)
{
    struct domain_config d;

    config_with("weight", "\0\0\0\1", 4, &d);
    CU_ASSERT_EQUAL(d.abi_version, 0x10000);
    CU_ASSERT_EQUAL(d.abi_features, 0x7f);
    CU_ASSERT_EQUAL(d.peers, 0);
    config_with("features", "", 0, &d);
    CU_ASSERT_EQUAL(d.abi_features, 0x01);
    config_with("features", WORDS("time\0buffers"), &d);
    CU_ASSERT_EQUAL(d.abi_features, 0x23);
    config_with("features", WORDS("core\0buffers\0control"), &d);
    CU_ASSERT_EQUAL(d.abi_features, 0x83);
}

static void a_feature_set_that_makes_no_sense_is_refused_by_name(void)
{
    refuse(G0, "features", WORDS("buffers\0grants"),
           "domains/guest0: features: 'grants' is no feature of the guest ABI");
    refuse(G0, "features", WORDS("buffers\0buffers"),
           "domains/guest0: features: 'buffers' given twice");
    refuse(G0, "features", WORDS("events"), "domains/guest0: features: 'events' needs 'buffers'");
    refuse(G0, "features", WORDS("buffers\0console"),
           "domains/guest0: features: 'console' needs 'events'");
    refuse(G0, "features", "buffers", 7, "domains/guest0: features: not an ended string");
    refuse(G0, "abi", WORDS("1.3"),
           "domains/guest0: abi: '1.3': this hypervisor has 1.0, 1.1, 1.2 and xen");
    refuse(G0, "features", WORDS("buffers\0control\0create"),
           "domains/guest0: features: 'create' is not in ABI 1.0");
}

/* In 1.2 alone, with control, and where there is a console whose port it is. */
static void a_control_port_needs_control_and_a_console(void)
{
    static const char words[] = "buffers\0control\0control-port";
    void *fdt = bundle_good();
    struct domain_config d;
    struct bundle b;
    char err[256] = "";

    refuse(G0, "features", words, sizeof(words),
           "domains/guest0: features: 'control-port' is not in ABI 1.0");
    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, G0), "abi", WORDS("1.2")), 0);
    CU_ASSERT_EQUAL(fdt_setprop(fdt, bundle_node(fdt, G0), "features", WORDS("control-port")), 0);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, "domains/guest0: features: 'control-port' needs 'control'");
    CU_ASSERT_EQUAL(
        fdt_setprop(fdt, bundle_node(fdt, G0), "features", words, (int)sizeof(words)), 0);
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &d);
    CU_ASSERT_EQUAL(d.abi_features, 0x283);
    CU_ASSERT_EQUAL(fdt_del_node(fdt, bundle_node(fdt, G0 "/devices/console")), 0);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, "domains/guest0: features: 'control-port' needs a device of type "
                                "'virtio-console'");
    free(fdt);
}

static void peers_are_named_in_order(void)
{
    struct domain_config d;

    config_with("peers", WORDS("beta\0alpha"), &d);
    CU_ASSERT_EQUAL(d.peers, 2);
    CU_ASSERT_STRING_EQUAL(d.peer[0], "beta");
    CU_ASSERT_STRING_EQUAL(d.peer[1], "alpha");
    refuse(G0, "peers", WORDS("beta\0guest0"),
           "domains/guest0: peers: 'guest0' is this domain itself");
    refuse(G0, "peers", WORDS("a\0b\0a"), "domains/guest0: peers: 'a' given twice");
    refuse(G0, "peers", WORDS("a\0B"),
           "domains/guest0: peers: 'B': a name is 1 to 31 of [a-z0-9._-]");
    refuse(G0, "peers", WORDS("1\0002\0003\0004\0005\0006\0007\0008\0009"),
           "domains/guest0: peers: more than 8");
}

static const struct cu_test tests[] = {
    CU(features_are_all_but_capabilities_unless_it_says_which),
    CU(a_feature_set_that_makes_no_sense_is_refused_by_name),
    CU(a_control_port_needs_control_and_a_console),
    CU(peers_are_named_in_order),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_abi", tests, argc, argv);
}
