/* What the run makes of a guest's attestation: claims of the guest count for nothing alone. */
#include "cu.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct run_opts opts = {.quiet = true};
static struct run *run;
static struct guest *g;

/* A guest that was given a volume, and has run to its end or not. */
static void start(bool released)
{
    run = calloc(1, sizeof(*run));
    run->opts = &opts;
    g = guest_add(run, "guest0", "sev-snp");
    g->id = 1;
    g->userspace = true;
    g->attest.wanted = true;
    g->attest.volume = true;
    g->attest.released = released;
    strcpy(g->attest.content, CONTENT);
}

static void end(void)
{
    guest_free(g);
    free(run);
}

static void channel(const char *line)
{
    struct link_frame frame = {.type = LINK_CHANNEL,
                               .domain = 1,
                               .length = (uint16_t)strlen(line),
                               .payload = (const uint8_t *)line};

    events_take(run, &frame);
}

static void a_guest_is_good_that_got_its_secret_and_opened_its_volume(void)
{
    start(true);
    channel("{\"event\":\"volume\",\"sha256\":\"" CONTENT "\"}\n");
    CU_ASSERT(g->attest.opened);
    guest_ended(run, g, "power-off", "");
    CU_ASSERT(guest_good(g));
    end();
}

static void a_volume_that_holds_something_else_is_a_failure(void)
{
    static const char *const lines[] = {
        "{\"event\":\"volume\",\"sha256\":\"0000\"}\n",
        "{\"event\":\"volume\"}\n",
        "{\"event\":\"volume\",\"sha256\":7}\n",
        "{\"event\":\"volume\",\"sha256\":\"" CONTENT "0\"}\n",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        start(true);
        channel(lines[i]);
        CU_ASSERT_FALSE(g->attest.opened);
        CU_ASSERT_STRING_EQUAL(g->reason, "its volume does not hold what was put there");
        end();
    }
}

static void a_volume_cannot_be_open_before_its_key_is_released(void)
{
    start(false);
    channel("{\"event\":\"volume\",\"sha256\":\"" CONTENT "\"}\n");
    CU_ASSERT_FALSE(g->attest.opened);
    CU_ASSERT_FALSE(guest_good(g));
    end();
}

static void a_guest_that_ends_before_its_secret_or_its_volume_has_failed(void)
{
    start(false);
    guest_ended(run, g, "power-off", "");
    CU_ASSERT_STRING_EQUAL(g->reason, "it ended without having been attested");
    end();
    start(true);
    guest_ended(run, g, "power-off", "");
    CU_ASSERT_STRING_EQUAL(g->reason, "it got its secret, but did not open its volume");
    end();
}

static void a_guest_that_was_to_be_killed_owes_nothing(void)
{
    start(false);
    g->killed = true;
    guest_ended(run, g, "destroyed", "by the host");
    CU_ASSERT(guest_good(g));
    end();
}

/* Which kinds of frames and events give credit, and which take it away. */
static void answers_wait_for_credit_and_a_new_channel_has_none(void)
{
    static const uint8_t five[] = {5, 0, 0, 0};
    struct link_frame credit = {
        .type = LINK_CREDIT, .domain = 1, .length = sizeof(five), .payload = five};
    static const char opened[] = "{\"event\":\"channel\",\"id\":1,\"open\":true}";
    struct link_frame event = {.type = LINK_EVENT,
                               .length = sizeof(opened) - 1,
                               .payload = (const uint8_t *)opened};
    uint8_t out[64];

    start(false);
    channel("broker attest 1\n"); /* this run has no broker, and says so */
    CU_ASSERT_EQUAL(channel_take(&g->channel, out, sizeof(out)), 0);
    events_take(run, &credit);
    CU_ASSERT_EQUAL(channel_take(&g->channel, out, sizeof(out)), 5);
    CU_ASSERT_EQUAL(memcmp(out, "broke", 5), 0);
    events_take(run, &credit);
    events_take(run, &event);
    CU_ASSERT_EQUAL(g->channel.credit, 0);
    CU_ASSERT_EQUAL(g->channel.queued, 0);
    credit.domain = 2;
    events_take(run, &credit);
    CU_ASSERT_EQUAL(g->channel.credit, 0);
    end();
}

static const struct cu_test tests[] = {
    CU(a_guest_is_good_that_got_its_secret_and_opened_its_volume),
    CU(a_volume_that_holds_something_else_is_a_failure),
    CU(a_volume_cannot_be_open_before_its_key_is_released),
    CU(a_guest_that_ends_before_its_secret_or_its_volume_has_failed),
    CU(a_guest_that_was_to_be_killed_owes_nothing),
    CU(answers_wait_for_credit_and_a_new_channel_has_none),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_broker", tests, argc, argv);
}
