/* GetQuote: what a TD may ask, what its host may answer, and whose memory is touched. */
#include "tdx_machine.h"

#include <string.h>

#include "../../cc/tdx/tdx_ram.h"
#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

#define MEMORY MiB(16)
#define BUFFER MiB(4)
#define SIZE   KiB(8)
#define DATA   24u /* behind the header */

#define IN_FLIGHT   ~0ull
#define QUOTE_ERROR 0x8000000000000000ull
#define UNAVAILABLE 0x8000000000000001ull

static struct vm *vm;
static struct tdx_vm s;
static uint64_t not_shared; /* from here on memory is the TD's */

static unsigned int held;

/* Another vCPU may take the page back at any moment, this one too. */
static void can_be_taken_back(struct vm *owner, pa_t at)
{
    at = pa(at.v & PAGE_MASK);
    if (page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, owner->id) != ABI_OK) {
        held++;
        return;
    }
    CU_ASSERT_EQUAL(page_return(at, ORDER_4K, owner->id), ABI_OK); /* as it was */
}

static bool shared(struct vm *owner, pa_t at)
{
    void *end;
    uint64_t run;

    can_be_taken_back(owner, at);
    if (not_shared == 0) {
        return true;
    }
    vm->cc = CC_NONE;
    CU_ASSERT_EQUAL(vm_mem_host(vm, gpa(not_shared), &end, &run), ABI_OK);
    vm->cc = CC_TDX;
    return at.v < hva_to_pa(end).v;
}

static const struct cc_ops ops = {.kind = CC_TDX, .shared = shared};
static const struct cc_ops *none;

static uint8_t *buffer(void)
{
    void *hva;
    uint64_t run, was = not_shared;

    not_shared = 0;
    CU_ASSERT_EQUAL_FATAL(vm_mem_host(vm, gpa(BUFFER), &hva, &run), ABI_OK);
    not_shared = was;
    return hva;
}

static uint64_t status(void)
{
    uint64_t v;

    memcpy(&v, buffer() + 8, sizeof(v));
    return v;
}

static uint32_t out_len(void)
{
    uint32_t v;

    memcpy(&v, buffer() + 20, sizeof(v));
    return v;
}

static void put(uint64_t version, uint32_t in_len)
{
    uint8_t *b = buffer();

    memset(b, 0, SIZE);
    memcpy(b, &version, sizeof(version));
    memcpy(b + 16, &in_len, sizeof(in_len));
    for (unsigned int i = 0; i < 1024; i++) {
        b[DATA + i] = (uint8_t)(i * 7);
    }
}

static void start(void)
{
    struct domain_config cfg;

    core_boot(MiB(128), 1);
    fake_link_present(true);
    link_init();
    fake_clock_set(1000);
    cfg = core_config(MEMORY, 2);
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    memset(&s, 0, sizeof(s));
    not_shared = 0;
    none = vm->ops;
    vm->ops = &ops;
    vm->cc = CC_TDX;
    vm->cc_data = &s;
    vm->host_answer = tdx_quote_answer;
    put(1, 1024);
    fake_link_clear();
}

static void finish(void)
{
    CU_ASSERT_EQUAL(held, 0);
    vm->ops = none;
    vm->cc = CC_NONE;
    vm->cc_data = NULL;
    vm_destroy(vm);
    core_done();
}

static uint64_t ask(void)
{
    return tdx_get_quote(vm, BUFFER | TDX_SHARED, SIZE);
}

/* The id of the only request on the link; 0: none, or something else. */
static uint32_t request(void)
{
    uint32_t id = 0;
    size_t len;
    const uint8_t *p = fake_link(&len);

    if (len == 8 + 4 + 1024 && p[2] == 6 && (p[4] | p[5] << 8) == vm->id &&
        memcmp(p + 12, buffer() + DATA, 1024) == 0) {
        memcpy(&id, p + 8, sizeof(id));
    }
    fake_link_clear();
    return id;
}

static void answer(uint32_t id, uint32_t st, uint32_t total, uint32_t offset, const void *p,
                   size_t len)
{
    const uint32_t head[4] = {id, st, total, offset};
    uint8_t frame[8 + 16 + 4080] = {'C', 'L', 7};

    frame[4] = (uint8_t)vm->id;
    frame[5] = (uint8_t)(vm->id >> 8);
    frame[6] = (uint8_t)(sizeof(head) + len);
    frame[7] = (uint8_t)((sizeof(head) + len) >> 8);
    memcpy(frame + 8, head, sizeof(head));
    memcpy(frame + 24, p, len);
    fake_link_input(frame, 24 + len);
    while (link_poll()) {
    }
}

static void a_report_leaves_and_its_quote_comes_back_in_parts(void)
{
    static uint8_t quote[5000];
    uint32_t id;

    start();
    memset(quote, 0x5a, sizeof(quote));
    quote[4999] = 1;
    CU_ASSERT_EQUAL(tdx_event_notify(vm->vcpu[1], 0x51), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    id = request();
    CU_ASSERT_NOT_EQUAL_FATAL(id, 0);
    CU_ASSERT_EQUAL(status(), IN_FLIGHT);
    answer(id, 0, sizeof(quote), 0, quote, 4080);
    CU_ASSERT_EQUAL(status(), IN_FLIGHT);
    CU_ASSERT_EQUAL(vm->vcpu[1]->arch.irqs[1], 0);
    answer(id, 0, sizeof(quote), 4080, quote + 4080, sizeof(quote) - 4080);
    CU_ASSERT_EQUAL(status(), 0);
    CU_ASSERT_EQUAL(out_len(), sizeof(quote));
    CU_ASSERT_EQUAL(memcmp(buffer() + DATA, quote, sizeof(quote)), 0);
    CU_ASSERT_EQUAL(vm->vcpu[1]->arch.irqs[1], BIT(0x51 - 64));
    CU_ASSERT_EQUAL(vm->vcpu[0]->arch.raised, 0);
    finish();
}

static void what_no_buffer_can_be_is_refused(void)
{
    static const struct {
        uint64_t gpa, size, answer;
    } wrong[] = {
        {BUFFER, SIZE, TDVMCALL_INVALID_OPERAND},
        {BUFFER | TDX_SHARED, 0, TDVMCALL_INVALID_OPERAND},
        {BUFFER | TDX_SHARED, KiB(132), TDVMCALL_INVALID_OPERAND},
        {BUFFER | TDX_SHARED, ~0ull, TDVMCALL_INVALID_OPERAND},
        {(BUFFER | TDX_SHARED) + 8, SIZE, TDVMCALL_ALIGN_ERROR},
        {BUFFER | TDX_SHARED, SIZE + 1, TDVMCALL_ALIGN_ERROR},
        {MEMORY | TDX_SHARED, SIZE, TDVMCALL_INVALID_OPERAND},
        {BUFFER | TDX_SHARED | TDX_SHARED << 1, SIZE, TDVMCALL_INVALID_OPERAND},
        {~0ull & ~(uint64_t)(PAGE_SIZE - 1), SIZE, TDVMCALL_INVALID_OPERAND},
    };
    size_t len;

    start();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CU_ASSERT_EQUAL(tdx_get_quote(vm, wrong[i].gpa, wrong[i].size), wrong[i].answer);
    }
    CU_ASSERT_EQUAL(status(), 0);
    (void)fake_link(&len);
    CU_ASSERT_EQUAL(len, 0);
    finish();
}

static void a_header_of_another_form_is_refused(void)
{
    size_t len;

    start();
    put(2, 1024);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_INVALID_OPERAND);
    put(1, SIZE - DATA + 1);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_INVALID_OPERAND);
    put(1, UINT32_MAX);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(status(), 0);
    put(1, 1023); /* no report: the call is fine, the quote is not */
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(status(), QUOTE_ERROR);
    (void)fake_link(&len);
    CU_ASSERT_EQUAL(len, 0);
    finish();
}

static void a_fifth_at_a_time_is_told_to_try_again(void)
{
    start();
    for (unsigned int i = 0; i < TDX_QUOTES; i++) {
        CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
        put(1, 1024);
        CU_ASSERT_NOT_EQUAL(request(), 0);
    }
    CU_ASSERT_EQUAL(ask(), TDVMCALL_RETRY);
    CU_ASSERT_EQUAL(request(), 0);
    fake_advance(31000000000ull); /* what nobody answers makes room */
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    CU_ASSERT_NOT_EQUAL(request(), 0);
    finish();
}

/* One way in which an answer can be wrong, and what the TD finds. */
static void wrong_answer(uint32_t st, uint32_t total, uint32_t offset, size_t len, uint64_t found)
{
    static const uint8_t quote[4080] = {1};
    uint32_t id;

    put(1, 1024);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    id = request();
    answer(id, st, total, offset, quote, len);
    CU_ASSERT_EQUAL(status(), found);
    CU_ASSERT_EQUAL(out_len(), 0);
    answer(id, 0, 100, 0, quote, 100); /* it is over */
    CU_ASSERT_EQUAL(status(), found);
}

static void a_wrong_answer_is_an_error_to_the_td_and_nothing_else(void)
{
    start();
    wrong_answer(1, 0, 0, 0, UNAVAILABLE);
    wrong_answer(2, 0, 0, 0, QUOTE_ERROR);
    wrong_answer(0, 0, 0, 0, QUOTE_ERROR);
    wrong_answer(0, SIZE - DATA + 1, 0, 100, QUOTE_ERROR);
    wrong_answer(0, UINT32_MAX, 0, 100, QUOTE_ERROR);
    wrong_answer(0, 200, 1, 100, QUOTE_ERROR);
    wrong_answer(0, 200, 0, 201, QUOTE_ERROR);
    wrong_answer(0, 200, 0, 0, QUOTE_ERROR);
    finish();
}

/* Else its parts would go on behind the buffer: what is left of a smaller total wraps. */
static void a_quote_that_shrinks_under_way_is_none(void)
{
    static uint8_t quote[4080];
    uint32_t id;

    start();
    memset(quote, 0x5a, sizeof(quote));
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    id = request();
    answer(id, 0, SIZE - DATA, 0, quote, 200);
    answer(id, 0, 100, 200, quote, 300);
    CU_ASSERT_EQUAL(status(), QUOTE_ERROR);
    CU_ASSERT_EQUAL(buffer()[DATA + 200], (uint8_t)(200 * 7)); /* as it was */
    finish();
}

static void an_answer_to_nobodys_request_changes_nothing(void)
{
    static const uint8_t quote[100];
    uint32_t id;

    start();
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    id = request();
    answer(id + 1, 0, 100, 0, quote, 100);
    answer(0, 0, 100, 0, quote, 100);
    tdx_quote_answer(vm, quote, 15);
    CU_ASSERT_EQUAL(status(), IN_FLIGHT);
    answer(id, 0, 100, 0, quote, 100);
    CU_ASSERT_EQUAL(status(), 0);
    finish();
}

static void without_a_host_there_is_no_service(void)
{
    start();
    fake_link_present(false);
    link_init();
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(status(), UNAVAILABLE);
    finish();
}

static void a_buffer_that_is_private_is_no_buffer(void)
{
    start();
    not_shared = BUFFER;
    CU_ASSERT_EQUAL(ask(), TDVMCALL_INVALID_OPERAND);
    put(1, 1023);
    CU_ASSERT_EQUAL(ask(), TDVMCALL_INVALID_OPERAND);
    CU_ASSERT_EQUAL(status(), 0);
    finish();
}

static void a_quote_for_memory_that_was_taken_back_is_lost(void)
{
    static uint8_t quote[6000];
    uint32_t id;

    start();
    memset(quote, 0x5a, sizeof(quote));
    CU_ASSERT_EQUAL(ask(), TDVMCALL_SUCCESS);
    id = request();
    not_shared = BUFFER + PAGE_SIZE; /* of two pages the second */
    answer(id, 0, sizeof(quote), 0, quote, 4000);
    CU_ASSERT_EQUAL(status(), IN_FLIGHT);
    answer(id, 0, sizeof(quote), 4000, quote + 4000, 2000);
    CU_ASSERT_EQUAL(status(), IN_FLIGHT);
    for (size_t i = PAGE_SIZE; i < SIZE; i++) {
        CU_ASSERT_EQUAL_FATAL(buffer()[i], 0);
    }
    CU_ASSERT_EQUAL(s.quotes.slot[0].id, 0);
    finish();
}

static void only_interrupts_that_a_guest_may_choose_are_taken(void)
{
    static const uint64_t wrong[] = {0, 31, 256, 0x100000051, ~0ull};

    start();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CU_ASSERT_EQUAL(tdx_event_notify(vm->vcpu[0], wrong[i]), TDVMCALL_INVALID_OPERAND);
    }
    CU_ASSERT_EQUAL(s.quotes.vector, 0);
    CU_ASSERT_EQUAL(tdx_event_notify(vm->vcpu[0], 32), TDVMCALL_SUCCESS);
    CU_ASSERT_EQUAL(tdx_event_notify(vm->vcpu[0], 255), TDVMCALL_SUCCESS);
    finish();
}

static const struct cu_test tests[] = {
    CU(a_report_leaves_and_its_quote_comes_back_in_parts),
    CU(what_no_buffer_can_be_is_refused),
    CU(a_header_of_another_form_is_refused),
    CU(a_fifth_at_a_time_is_told_to_try_again),
    CU(a_wrong_answer_is_an_error_to_the_td_and_nothing_else),
    CU(a_quote_that_shrinks_under_way_is_none),
    CU(an_answer_to_nobodys_request_changes_nothing),
    CU(without_a_host_there_is_no_service),
    CU(a_buffer_that_is_private_is_no_buffer),
    CU(a_quote_for_memory_that_was_taken_back_is_lost),
    CU(only_interrupts_that_a_guest_may_choose_are_taken),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tdxdrv_quote", tests, argc, argv);
}
