/* A second domain's life, by the cloister program. */
#include "root.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void the_port_is_there_though_the_kernel_is_locked_down(void)
{
    EXPECT(root_shell("/bin/busybox mount -t securityfs none /sys/kernel/security") == 0);
    EXPECT(root_shell("/bin/busybox cat /sys/kernel/security/lockdown") == 0);
    EXPECT(root_says("[integrity]"));
    EXPECT(root_port() != NULL);
    EXPECT(root_shell("cloister list") == 0);
    EXPECT(root_says("lord") && root_says("commoner"));
}

static void a_domain_is_created_started_read_paused_and_destroyed(void)
{
    EXPECT(root_shell("cloister create /victim.bundle") == 0);
    EXPECT(root_says("victim: id "));
    EXPECT(root_shell("cloister stats victim --json") == 0);
    EXPECT(root_says("\"state\": \"created\""));
    EXPECT(root_shell("cloister start victim") == 0);
    EXPECT(root_says_soon("cloister console victim", "-ready", 10));
    EXPECT(root_shell("cloister pause victim") == 0);
    EXPECT(root_says_soon("cloister stats victim --json", "\"state\": \"paused\"", 10));
    EXPECT(root_shell("cloister resume victim") == 0);
    EXPECT(root_says_soon("cloister stats victim --json", "\"state\": \"running\"", 10));
    EXPECT(root_shell("cloister destroy victim") == 0);
    EXPECT(root_says_soon("cloister stats victim", "there is no domain 'victim'", 10));
}

static void one_that_was_stopped_stays_until_it_is_destroyed(void)
{
    EXPECT(root_shell("cloister create /victim.bundle --start --json") == 0);
    EXPECT(root_says("{\"name\": \"victim\", \"id\": "));
    EXPECT(root_shell("cloister start victim") == 1);
    EXPECT(root_says("it was started before"));
    EXPECT(root_says_soon("cloister console victim", "-ready", 10));
    EXPECT(root_shell("cloister stop victim") == 0);
    EXPECT(root_says_soon("cloister stats victim --json", "\"state\": \"ended\"", 10));
    EXPECT(root_shell("cloister console victim --follow --send x") == 0 && root_says("-ready"));
    EXPECT(root_shell("cloister destroy victim") == 0);
    EXPECT(root_says_soon("cloister list", "lord", 1) && strstr(root_said, "victim") == NULL);
}

static void what_cannot_be_done_says_why_and_what_to_do(void)
{
    EXPECT(root_shell("cloister destroy nobody") == 1);
    EXPECT(root_says("there is no domain 'nobody'; `cloister list` shows who is there"));
    EXPECT(root_shell("cloister pause lord") == 1);
    EXPECT(root_says("no domain controls itself"));
    EXPECT(root_shell("cloister create /nothing") == 2);
    EXPECT(root_shell("cloister create /bin/busybox") == 1);
    EXPECT(root_says("malformed input: bundle: not a flattened Device Tree"));
    EXPECT(root_shell("cloister create /greedy.bundle") == 1);
    EXPECT(root_says("create-memory"));
    EXPECT(root_shell("cloister create /usurper.bundle") == 1);
    EXPECT(root_says("only a boot bundle gives"));
    EXPECT(root_shell("cloister list --port /dev/null") == 3);
    EXPECT(root_shell("cloister list --bogus") == 2);
    EXPECT(root_shell("cloister list --help") == 0);
}

const struct sentence root_tool[] = {
    SENTENCE(the_port_is_there_though_the_kernel_is_locked_down),
    SENTENCE(a_domain_is_created_started_read_paused_and_destroyed),
    SENTENCE(one_that_was_stopped_stays_until_it_is_destroyed),
    SENTENCE(what_cannot_be_done_says_why_and_what_to_do),
    {NULL, NULL},
};
