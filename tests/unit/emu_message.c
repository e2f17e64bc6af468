/* Guest messages to the emulated PSP, with OpenSSL as the guest: ABI 8.26 and chapter 7. */
#include "cu.h"
#include "emu_peer.h"

#include <linux/sev-guest.h>
#include <string.h>

static struct host_guest guest;
static struct snp_secrets_page secrets;

static struct peer world(unsigned int vmpck)
{
    struct peer p;

    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_run_guest(&guest, &secrets), SNP_SUCCESS);
    peer_start(&p, &guest, &secrets, vmpck);
    return p;
}

static void a_report_comes_back_sealed(void)
{
    struct peer p = world(0);
    uint32_t status;
    const uint8_t *r = peer_report(&p, 0x77, 0, 0, &status);

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(r[0x50], 0x77);
    CU_ASSERT_EQUAL(r[0xc0], 0xda); /* HOST_DATA */
    CU_ASSERT(host_fpu_balanced());
    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 0x78, 3, 1, &status)); /* and the next */
}

static void every_vmpck_has_its_own_key_and_count(void)
{
    struct peer p = world(0), q;
    uint32_t status;

    peer_start(&q, &guest, &secrets, 3);
    CU_ASSERT(memcmp(p.key, q.key, 32) != 0);
    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 1, 0, 0, &status));
    CU_ASSERT_PTR_NOT_NULL(peer_report(&q, 1, 3, 0, &status));
    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 1, 0, 0, &status));
    q.vmpck = 2; /* the key of another */
    q.seqno = 1;
    CU_ASSERT_PTR_NULL(peer_report(&q, 1, 3, 0, &status));
    CU_ASSERT_EQUAL(peer_send(&q), SNP_BAD_MEASUREMENT);
}

static void damaged_requests_are_bad_measurements(void)
{
    struct peer p = world(0);
    uint8_t payload[96] = {0};
    struct snp_message *m = peer_request(&p), good;

    peer_seal(&p, SNP_MSG_REPORT_REQ, 1, payload, sizeof(payload));
    good = *m;
    m->payload[5] ^= 1;
    CU_ASSERT_EQUAL(peer_send(&p), SNP_BAD_MEASUREMENT);
    *m = good;
    m->authtag[15] ^= 0x80;
    CU_ASSERT_EQUAL(peer_send(&p), SNP_BAD_MEASUREMENT);
    *m = good;
    m->type = SNP_MSG_KEY_REQ; /* authenticated, too */
    CU_ASSERT_EQUAL(peer_send(&p), SNP_BAD_MEASUREMENT);
    *m = good;
    m->size = 80;
    CU_ASSERT_EQUAL(peer_send(&p), SNP_BAD_MEASUREMENT);
    *m = good;
    CU_ASSERT_EQUAL(peer_send(&p), SNP_SUCCESS); /* nothing was counted meanwhile */
}

static void a_message_counts_once(void)
{
    struct peer p = world(0);
    uint32_t status;

    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 1, 0, 0, &status));
    CU_ASSERT_EQUAL(peer_send(&p), SNP_AEAD_OFLOW); /* replayed */
    p.seqno += 2;
    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 0, 0, &status)); /* skipped ahead */
    p.seqno -= 2;
    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 1, 0, 0, &status));
    p.seqno = 0;
    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 0, 0, &status));
}

static uint32_t send_changed(const struct peer *p, size_t offset, uint8_t value)
{
    uint8_t payload[96] = {0};

    peer_seal(p, SNP_MSG_REPORT_REQ, 1, payload, sizeof(payload));
    ((uint8_t *)peer_request(p))[offset] = value;
    return peer_send(p);
}

static void headers_must_be_the_specified_ones(void)
{
    struct peer p = world(0);

    CU_ASSERT_EQUAL(send_changed(&p, 0x30, 2), SNP_INVALID_PARAM); /* algorithm */
    CU_ASSERT_EQUAL(send_changed(&p, 0x31, 2), SNP_INVALID_PARAM); /* header version */
    CU_ASSERT_EQUAL(send_changed(&p, 0x32, 0x61), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send_changed(&p, 0x3c, 4), SNP_INVALID_PARAM);   /* VMPCK */
    CU_ASSERT_EQUAL(send_changed(&p, 0x38, 1), SNP_BAD_MEASUREMENT); /* reserved, but sealed */
    CU_ASSERT_EQUAL(send_changed(&p, 0x5f, 1), SNP_BAD_MEASUREMENT);
    CU_ASSERT_EQUAL(send_changed(&p, 0x37, 0x10), SNP_INVALID_PARAM); /* size */
    CU_ASSERT_EQUAL(send_changed(&p, 0x36, 0x61), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send_changed(&p, 0x36, 0), SNP_INVALID_PARAM);
}

static uint32_t send(const struct peer *p, unsigned int type, unsigned int version, size_t len)
{
    static const uint8_t payload[4000];

    peer_seal(p, type, version, payload, len);
    return peer_send(p);
}

static void requests_of_unknown_types_versions_and_sizes_are_refused(void)
{
    struct peer p = world(0);

    CU_ASSERT_EQUAL(send(&p, 99, 1, 96), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_REPORT_RSP, 1, 96), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_REPORT_REQ, 2, 96), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_REPORT_REQ, 0, 96), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_REPORT_REQ, 1, 80), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_KEY_REQ, 2, 32), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_KEY_REQ, 1, 16), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(send(&p, SNP_MSG_REPORT_REQ, 1, 4000), SNP_SUCCESS); /* large enough */
}

static void a_vmpl_speaks_for_itself_and_the_less_privileged(void)
{
    struct peer p = world(2);
    uint32_t status;
    const uint8_t *r;

    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 1, 0, &status));
    CU_ASSERT_EQUAL(status, 0x16);
    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 4, 0, &status));
    CU_ASSERT_EQUAL(status, 0x16);
    r = peer_report(&p, 1, 2, 0, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r[0x30], 2);
}

static void only_the_vcek_signs_here(void)
{
    struct peer p = world(0);
    uint32_t status;

    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 0, 2, &status)); /* VLEK */
    CU_ASSERT_EQUAL(status, 0x27);
    CU_ASSERT_PTR_NULL(peer_report(&p, 1, 0, 4, &status));
    CU_ASSERT_EQUAL(status, 0x16);
    CU_ASSERT_PTR_NOT_NULL(peer_report(&p, 1, 0, 1, &status));
}

static void pages_and_guests_are_checked_first(void)
{
    struct peer p = world(0), bad = p;
    struct host_guest fresh;

    peer_seal(&p, SNP_MSG_REPORT_REQ, 1, (uint8_t[96]){0}, 96);
    bad.response = host_page(RMP_4K); /* the hypervisor's own */
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_PAGE_STATE);
    bad = p;
    bad.request += 8;
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_PARAM);
    bad = p;
    bad.response = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(bad.response, RMP_2M, 0, 0, true), RMP_OK);
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_PAGE_SIZE);
    bad = p;
    bad.request = HOST_MEMORY;
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_ADDRESS);
    bad = p;
    bad.response = HOST_MEMORY;
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_ADDRESS);
    bad = p;
    bad.gctx = host_page(RMP_4K);
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_GUEST);
    CU_ASSERT_EQUAL(host_start_guest(&fresh, 2, HOST_POLICY), SNP_SUCCESS);
    bad.gctx = fresh.gctx; /* not finished */
    CU_ASSERT_EQUAL(peer_send(&bad), SNP_INVALID_GUEST_STATE);
    CU_ASSERT_EQUAL(peer_send(&p), SNP_SUCCESS);
}

/* ---- derived keys ---- */

static const uint8_t *derive(struct peer *p, const struct snp_derived_key_req *q, uint32_t *status)
{
    const uint8_t *payload;
    size_t len = 0;

    *status = ~0u;
    peer_seal(p, SNP_MSG_KEY_REQ, 1, q, sizeof(*q));
    CU_ASSERT_EQUAL_FATAL(peer_send(p), SNP_SUCCESS);
    payload = peer_open(p, SNP_MSG_KEY_RSP, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(payload);
    CU_ASSERT_EQUAL_FATAL(len, sizeof(struct snp_derived_key_resp));
    memcpy(status, payload, sizeof(*status));
    return *status == 0 ? payload + 32 : NULL;
}

static void derive_into(struct peer *p, const struct snp_derived_key_req *q, uint8_t key[32])
{
    uint32_t status;
    const uint8_t *k = derive(p, q, &status);

    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    memcpy(key, k, 32);
}

static void a_derived_key_depends_on_what_was_asked_for(void)
{
    struct peer p = world(0);
    struct snp_derived_key_req q = {0};
    uint8_t keys[8][32];

    derive_into(&p, &q, keys[0]);
    for (unsigned int i = 0; i < 6; i++) {
        q.guest_field_select = 1ull << i;
        derive_into(&p, &q, keys[i + 1]);
    }
    q.guest_field_select = 0;
    q.vmpl = 1;
    derive_into(&p, &q, keys[7]);
    for (unsigned int i = 0; i < 8; i++) {
        for (unsigned int j = 0; j < i; j++) {
            CU_ASSERT(memcmp(keys[i], keys[j], 32) != 0);
        }
    }
}

static void the_same_guest_gets_the_same_key_again_unless_it_is_its_own_roots(void)
{
    struct peer p = world(0);
    struct snp_derived_key_req q = {.guest_field_select = 9}, own = {.root_key_select = 1};
    uint8_t first[32], second[32], mine[32], later[32];

    derive_into(&p, &q, first);
    derive_into(&p, &own, mine);
    p = world(0);
    derive_into(&p, &q, second);
    derive_into(&p, &own, later);
    CU_ASSERT_EQUAL(memcmp(first, second, 32), 0);
    CU_ASSERT(memcmp(mine, later, 32) != 0); /* the VMRK is new at each launch */
    CU_ASSERT(memcmp(mine, first, 32) != 0);
}

static void a_key_for_more_than_the_guest_has_is_refused(void)
{
    struct peer p = world(1);
    uint32_t status;
#define REFUSED(code, ...)                                                                         \
    do {                                                                                           \
        struct snp_derived_key_req q = {.vmpl = 1, __VA_ARGS__};                                   \
        CU_ASSERT_PTR_NULL(derive(&p, &q, &status));                                               \
        CU_ASSERT_EQUAL(status, code);                                                             \
    } while (0)
    REFUSED(0x16, .guest_svn = 1, .guest_field_select = 1 << 4);
    REFUSED(0x16, .tcb_version = 5, .guest_field_select = 1 << 5);
    REFUSED(0x16, .tcb_version = 0xdcull << 56, .guest_field_select = 1 << 5);
    REFUSED(0x16, .guest_field_select = 1 << 6);
    REFUSED(0x16, .rsvd = 1);
    REFUSED(0x16, .root_key_select = 8);
    REFUSED(0x27, .root_key_select = 4); /* VLEK */
#undef REFUSED
    {
        struct snp_derived_key_req q = {.vmpl = 0}, good = {.vmpl = 1,
                                                            .tcb_version = 4,
                                                            .guest_field_select = 1 << 5};

        CU_ASSERT_PTR_NULL(derive(&p, &q, &status));
        CU_ASSERT_PTR_NOT_NULL(derive(&p, &good, &status));
    }
}

static const struct cu_test tests[] = {
    CU(a_report_comes_back_sealed),
    CU(every_vmpck_has_its_own_key_and_count),
    CU(damaged_requests_are_bad_measurements),
    CU(a_message_counts_once),
    CU(headers_must_be_the_specified_ones),
    CU(requests_of_unknown_types_versions_and_sizes_are_refused),
    CU(a_vmpl_speaks_for_itself_and_the_less_privileged),
    CU(only_the_vcek_signs_here),
    CU(pages_and_guests_are_checked_first),
    CU(a_derived_key_depends_on_what_was_asked_for),
    CU(the_same_guest_gets_the_same_key_again_unless_it_is_its_own_roots),
    CU(a_key_for_more_than_the_guest_has_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_message", tests, argc, argv);
}
