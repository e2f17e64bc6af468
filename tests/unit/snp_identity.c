/*
 * What a domain's description has the firmware enforce and say (policy, host data, ID block and
 * author key: ABI 56860, 8.16-8.18), and extended guest requests (GHCB 56421, 4.1.8).
 */
#include "cu.h"
#include "emu_id.h"
#include "snp_host.h"

#include "../../cc/emu/emu_crypto.h"
#include "hv/page.h"

#include <stdio.h>
#include <string.h>

#define GHCB_AT LAY_FREE
#define REQ     (LAY_FREE + 4 * PAGE_SIZE)
#define RSP     (LAY_FREE + 5 * PAGE_SIZE)
#define CERTS   (LAY_FREE + 8 * PAGE_SIZE)

/* Of ATTESTATION_REPORT: ABI table 23 */
#define R_SVN       0x04
#define R_POLICY    0x08
#define R_FAMILY    0x10
#define R_FLAGS     0x48
#define R_DATA      0x50
#define R_DIGEST    0x90
#define R_HOST_DATA 0xc0
#define R_ID_KEY    0xe0
#define R_AUTHOR    0x110

static struct snp_config snp;
static uint8_t host_data[SNP_HOST_DATA_SIZE];
static uint8_t certs[3 * PAGE_SIZE];
static struct id_pages id;
static struct vm *vm;
static struct vcpu *v;
static uint64_t seqno;

static void begin(void)
{
    snp_boot(MiB(64));
    snp = (struct snp_config){.policy = SNP_POLICY_DEFAULT};
}

static enum abi_status launch(void)
{
    struct domain_config cfg = snp_config(CC_SEV_SNP, MiB(4), 1);
    struct layout l = *snp_layout(CC_SEV_SNP);
    enum abi_status st;

    l.snp = &snp;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    st = vm_launch(vm, &l);
    if (st != ABI_OK) {
        vm_destroy(vm);
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
        core_done();
        return st;
    }
    v = vm->vcpu[0];
    snp_ghcb_register(v, GHCB_AT);
    seqno = 1;
    return ABI_OK;
}

static void end(void)
{
    snp_drop(vm);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* ---- the guest's side of a message: ABI 8.26, VMPCK 0 ---- */

static struct emu_gcm cipher(const struct snp_message *m, uint8_t iv[12])
{
    const struct snp_secrets_page *s = snp_ram(vm, LAY_SECRETS);

    memset(iv, 0, 12);
    memcpy(iv, &m->seqno, sizeof(m->seqno));
    return (struct emu_gcm){
        .key = s->vmpck[0], .iv = iv, .aad = &m->algorithm, .aad_len = 0x60 - SNP_MESSAGE_AAD};
}

static void seal_request(void)
{
    struct snp_message *m = snp_ram(vm, REQ);
    struct emu_gcm gcm;
    uint8_t iv[12];

    memset(m, 0, sizeof(*m));
    m->seqno = seqno;
    m->algorithm = 1;
    m->header_version = 1;
    m->header_size = 0x60;
    m->type = SNP_MSG_REPORT_REQ;
    m->version = 1;
    m->size = 0x60;
    memset(m->payload, 0xd5, 64);
    gcm = cipher(m, iv);
    emu_gcm_seal(&gcm, m->payload, m->size, m->authtag);
}

/* The report in the answer; NULL: it is none. */
static const uint8_t *open_report(void)
{
    static struct snp_message m;
    struct emu_gcm gcm;
    uint8_t iv[12];

    memcpy(&m, snp_ram(vm, RSP), sizeof(m));
    gcm = cipher(&m, iv);
    if (m.seqno != seqno + 1 || m.type != SNP_MSG_REPORT_RSP || m.size > sizeof(m.payload) ||
        !emu_gcm_open(&gcm, m.payload, m.size, m.authtag)) {
        return NULL;
    }
    seqno += 2;
    return m.payload + 0x20;
}

static const uint8_t *report(void)
{
    const uint8_t *r;

    seal_request();
    memset(snp_ghcb(v), 0, sizeof(struct ghcb));
    snp_event(v, NAE_GUEST_REQUEST, REQ, RSP);
    CU_ASSERT(snp_ghcb(v)->info1 == 0 && snp_ghcb(v)->info2 == 0);
    r = open_report();
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT(r[R_DATA] == 0xd5 && r[R_DATA + 63] == 0xd5);
    return r;
}

static void extended(uint64_t at, uint64_t pages)
{
    memset(snp_ghcb(v), 0, sizeof(struct ghcb));
    snp_ghcb_set(v, 0x1f8, at);
    snp_ghcb_set(v, 0x318, pages);
    snp_event(v, NAE_EXT_GUEST_REQUEST, REQ, RSP);
}

/* ---- policy, host data ---- */

static void the_descriptions_policy_and_host_data_are_in_the_report(void)
{
    uint64_t policy;
    const uint8_t *r;

    begin();
    snp.policy = 0xb0000; /* and DEBUG */
    memset(host_data, 0x4d, sizeof(host_data));
    snp.host_data = (struct blob){host_data, sizeof(host_data)};
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
    r = report();
    memcpy(&policy, r + R_POLICY, sizeof(policy));
    CU_ASSERT_EQUAL(policy, 0xb0000);
    CU_ASSERT_EQUAL(memcmp(r + R_HOST_DATA, host_data, sizeof(host_data)), 0);
    end();
}

static void without_a_description_the_policy_is_the_default_and_host_data_zero(void)
{
    static const uint8_t zeros[SNP_HOST_DATA_SIZE];
    uint64_t policy;
    const uint8_t *r;

    begin();
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
    r = report();
    memcpy(&policy, r + R_POLICY, sizeof(policy));
    CU_ASSERT_EQUAL(policy, SNP_POLICY_DEFAULT);
    CU_ASSERT_EQUAL(memcmp(r + R_HOST_DATA, zeros, sizeof(zeros)), 0);
    end();
}

static void a_policy_that_the_platform_cannot_keep_is_refused(void)
{
    static const struct {
        uint64_t policy;
        const char *text;
    } wants[] = {
        {0x20000, "its policy forbids SMT: disable it"},
        {0x30000 | 0xff00, "its policy wants firmware 255.0, this is 1.55"},
        {0x30000 | 1 << 8 | 56, "its policy wants firmware 1.56, this is 1.55"},
        {0x30000 | 1 << 22, "its policy wants AES-256-XTS, which this firmware cannot do"},
        {0x30000 | 1 << 23, "its policy wants RAPL disabled, which this firmware cannot do"},
        {0x30000 | 1 << 24, "its policy wants ciphertext hiding, which this firmware cannot do"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        begin();
        fake_console_clear();
        snp.policy = wants[i].policy;
        CU_ASSERT_EQUAL(launch(), ABI_DENIED);
        CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), wants[i].text));
    }
}

/* ---- ID block ---- */

static void learn_digest(uint8_t ld[48])
{
    begin();
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
    memcpy(ld, report() + R_DIGEST, 48);
    end();
}

static void use_id(const uint8_t ld[48], uint64_t policy, bool author)
{
    CU_ASSERT_FATAL(id_make(ld, policy, 7, author, &id));
    snp.id_block = (struct blob){id.block, sizeof(id.block)};
    snp.id_auth = (struct blob){id.auth, sizeof(id.auth)};
    snp.author_key = author;
}

static void an_id_block_is_in_the_report(bool author)
{
    static const uint8_t zeros[48];
    uint8_t ld[48];
    const uint8_t *r;
    uint32_t svn;

    learn_digest(ld);
    begin();
    use_id(ld, SNP_POLICY_DEFAULT, author);
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
    r = report();
    memcpy(&svn, r + R_SVN, sizeof(svn));
    CU_ASSERT_EQUAL(svn, 7);
    CU_ASSERT_EQUAL(r[R_FAMILY], 0x0f);
    CU_ASSERT_EQUAL(memcmp(r + R_ID_KEY, id.id_key_digest, 48), 0);
    CU_ASSERT_EQUAL(memcmp(r + R_AUTHOR, author ? id.author_key_digest : zeros, 48), 0);
    CU_ASSERT_EQUAL(r[R_FLAGS] & 1, author);
    end();
}

static void an_owner_who_signed_the_digest_is_named_in_the_report(void)
{
    an_id_block_is_in_the_report(false);
}

static void an_author_who_signed_the_owners_key_is_named_too(void)
{
    an_id_block_is_in_the_report(true);
}

static void an_id_block_of_another_guest_is_refused_and_all_comes_back(void)
{
    uint8_t ld[48];

    learn_digest(ld);
    begin();
    use_id(ld, 0xb0000, false); /* another policy */
    CU_ASSERT_EQUAL(launch(), ABI_DENIED);
    use_id(ld, SNP_POLICY_DEFAULT, false);
    snp.author_key = true; /* there is none */
    CU_ASSERT_NOT_EQUAL(launch(), ABI_OK);
    use_id(ld, SNP_POLICY_DEFAULT, true);
    id.auth[0x680] ^= 1; /* the author's signature */
    CU_ASSERT_EQUAL(launch(), ABI_DENIED);
    use_id(ld, SNP_POLICY_DEFAULT, false);
    id.block[0x54] ^= 1; /* the SVN, which was signed */
    CU_ASSERT_EQUAL(launch(), ABI_DENIED);
    ld[0] ^= 1;
    use_id(ld, SNP_POLICY_DEFAULT, false);
    CU_ASSERT_EQUAL(launch(), ABI_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "not the one the ID block expects"));
}

static void a_launch_with_an_id_block_that_fails_anywhere_leaves_nothing(void)
{
    uint8_t ld[48];
    unsigned int n = 0;

    learn_digest(ld);
    begin();
    use_id(ld, SNP_POLICY_DEFAULT, true);
    for (bool failed = true; failed;) {
        struct domain_config cfg = snp_config(CC_SEV_SNP, MiB(4), 1);
        struct layout l = *snp_layout(CC_SEV_SNP);

        l.snp = &snp;
        core_fail_alloc(++n, false);
        failed = vm_create(&cfg, &vm) != ABI_OK;
        if (!failed) {
            failed = vm_launch(vm, &l) != ABI_OK;
            core_fail_alloc(0, false);
            vm_destroy(vm);
        }
        core_done();
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
    }
    CU_ASSERT(n > 5); /* VM, its memory, tables, vCPU, save area, ID block */
}

/* ---- extended requests ---- */

static void with_certs(void)
{
    FILE *f = fopen("build/emu/snp/certs.bin", "rb");

    begin();
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    snp.certs = (struct blob){certs, fread(certs, 1, sizeof(certs), f)};
    CU_ASSERT(snp.certs.len > 1000 && snp.certs.len < sizeof(certs));
    (void)fclose(f);
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
}

static uint64_t pages_needed(void)
{
    return ALIGN_UP(snp.certs.len, PAGE_SIZE) / PAGE_SIZE;
}

static void certificates_come_with_the_report(void)
{
    with_certs();
    seal_request();
    extended(CERTS, 4);
    CU_ASSERT(snp_ghcb(v)->info1 == 0 && snp_ghcb(v)->info2 == 0);
    CU_ASSERT_PTR_NOT_NULL(open_report());
    CU_ASSERT_EQUAL(memcmp(snp_ram(vm, CERTS), certs, MIN(snp.certs.len, PAGE_SIZE)), 0);
    end();
}

static void a_buffer_that_is_too_small_is_told_the_size_and_costs_no_message(void)
{
    with_certs();
    seal_request();
    for (uint64_t pages = 0; pages < pages_needed(); pages++) {
        extended(CERTS, pages);
        CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
        CU_ASSERT_EQUAL(snp_ghcb(v)->info2, REQUEST_BAD_LENGTH);
        CU_ASSERT_EQUAL(snp_ghcb(v)->rbx, pages_needed());
        CU_ASSERT((snp_ghcb(v)->valid[1] & BIT(0x318 / 8 - 64)) != 0);
        CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(vm, CERTS), 0);
    }
    extended(CERTS, pages_needed()); /* the very same message */
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_PTR_NOT_NULL(open_report());
    end();
}

static void without_certificates_the_table_ends_at_once(void)
{
    static const uint8_t zeros[24];

    begin();
    CU_ASSERT_EQUAL_FATAL(launch(), ABI_OK);
    memset(snp_ram(vm, CERTS), 0xee, PAGE_SIZE);
    seal_request();
    extended(CERTS, 1);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_PTR_NOT_NULL(open_report());
    CU_ASSERT_EQUAL(memcmp(snp_ram(vm, CERTS), zeros, sizeof(zeros)), 0);
    seal_request();
    extended(0, 0); /* who gives no room wants none */
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_PTR_NOT_NULL(open_report());
    end();
}

static void certificates_go_to_shared_memory_only(void)
{
    static const uint64_t places[] = {CERTS + 8, LAY_KERNEL, LAY_SECRETS, MiB(4), ~0xfffull,
                                      MiB(4) - PAGE_SIZE};

    with_certs();
    seal_request();
    for (size_t i = 0; i < ARRAY_SIZE(places) - (pages_needed() > 1 ? 0 : 1); i++) {
        extended(places[i], 4);
        CU_ASSERT_EQUAL(snp_ghcb(v)->info1, GHCB_MALFORMED);
        CU_ASSERT_EQUAL(snp_ghcb(v)->info2, GHCB_BAD_INPUT);
    }
    memset(snp_ghcb(v), 0, sizeof(struct ghcb));
    snp_ghcb_set(v, 0x1f8, CERTS);
    snp_event(v, NAE_EXT_GUEST_REQUEST, REQ, RSP);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, GHCB_MISSING_INPUT);
    extended(CERTS, 4); /* and the message is still good */
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    end();
}

static void a_request_that_must_wait_costs_no_message(void)
{
    with_certs();
    for (unsigned int i = 0; i < 100 && snp_ghcb(v)->info2 != REQUEST_BUSY; i++) {
        seal_request();
        extended(CERTS, 4);
        if (snp_ghcb(v)->info2 == 0) {
            CU_ASSERT_PTR_NOT_NULL(open_report());
        }
    }
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, REQUEST_BUSY);
    fake_advance(1000000000ull);
    extended(CERTS, 4);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, 0);
    CU_ASSERT_PTR_NOT_NULL(open_report());
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(the_descriptions_policy_and_host_data_are_in_the_report),
        CU(without_a_description_the_policy_is_the_default_and_host_data_zero),
        CU(a_policy_that_the_platform_cannot_keep_is_refused),
        CU(an_owner_who_signed_the_digest_is_named_in_the_report),
        CU(an_author_who_signed_the_owners_key_is_named_too),
        CU(an_id_block_of_another_guest_is_refused_and_all_comes_back),
        CU(a_launch_with_an_id_block_that_fails_anywhere_leaves_nothing),
        CU(certificates_come_with_the_report),
        CU(a_buffer_that_is_too_small_is_told_the_size_and_costs_no_message),
        CU(without_certificates_the_table_ends_at_once),
        CU(certificates_go_to_shared_memory_only),
        CU(a_request_that_must_wait_costs_no_message),
        CU_END,
    };

    return cu_main("snp_identity", tests, argc, argv);
}
