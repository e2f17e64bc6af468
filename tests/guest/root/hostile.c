/* What root might try with the port, with the hypervisor, with the machine. */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

static int port = -1;
static uint32_t self, victim;

/* Whoever opens the port next is served, whatever was written before. */
static bool the_next_is_served(void)
{
    close(port);
    port = root_open();
    return port >= 0 && root_ask(port, ABI_CONTROL_PING, 0, NULL, 0) == ABI_OK;
}

static void find_ids(void)
{
    const struct abi_control_domain *d = (const void *)root_told.data;

    EXPECT(root_ask(port, ABI_CONTROL_LIST, 0, NULL, 0) == ABI_OK);
    for (size_t i = 0; i < root_told.head.length / sizeof(*d); i++) {
        self = strcmp((const char *)d[i].name, "lord") == 0 ? d[i].id : self;
        victim = strcmp((const char *)d[i].name, "victim") == 0 ? d[i].id : victim;
    }
}

static bool victim_lives(void)
{
    return root_ask(port, ABI_CONTROL_STATISTICS, victim, NULL, 0) == ABI_OK &&
           ((const struct abi_control_domain *)(const void *)root_told.data)->state == 1;
}

static void the_port_has_one_user_at_a_time(void)
{
    EXPECT(root_shell("cloister create /victim.bundle --start") == 0);
    port = root_open();
    EXPECT(port >= 0);
    EXPECT(open(root_port(), O_RDWR) < 0 && errno == EBUSY);
    find_ids();
    EXPECT(self != 0 && victim != 0 && victim_lives());
}

static void garbage_is_answered_and_the_next_is_served(void)
{
    static uint8_t junk[100000];

    for (unsigned int seed = 0; seed < 40; seed++) {
        srandom(seed);
        for (size_t i = 0; i < sizeof(junk); i++) {
            junk[i] = (uint8_t)(random() >> 8);
        }
        EXPECT(root_write(port, junk, 1 + (size_t)random() % sizeof(junk)));
        EXPECT(the_next_is_served());
    }
    EXPECT(victim_lives());
}

static void a_length_that_lies_is_refused(void)
{
    static const uint32_t lies[] = {ROOT_DATA + 1, 65536, INT32_MAX, UINT32_MAX};
    struct root_answer a;

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct abi_port_frame f = root_frame(ABI_CONTROL_DESTROY, victim, lies[i]);

        EXPECT(root_write(port, &f, sizeof(f)));
        EXPECT(root_read(port, &a) && a.head.id == f.id && a.head.status == ABI_BAD_FORMAT);
        EXPECT(the_next_is_served());
    }
    EXPECT(root_ask(port, ABI_CONTROL_STAGE, 0, "short", 5) == ABI_BAD_ARG);
    EXPECT(root_ask(port, ABI_CONTROL_CONSOLE_OUTPUT, victim, NULL, 0) == ABI_BAD_ARG);
    EXPECT(victim_lives());
}

static void no_message_names_memory(void)
{
    static const uint64_t addresses[] = {0, 4096, 0xb8000, 0xfee00000, 1ull << 32, 1ull << 47,
                                         0xffffffff81000000, UINT64_MAX - 4095};
    struct abi_bundle_stage s = {.bytes = 4096};

    EXPECT(root_ask(port, ABI_CONTROL_STAGE, 0, &s, sizeof(s)) == ABI_OK);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct abi_buffer_part p = {.handle = 64, .offset = addresses[i], .length = 4096};
        struct abi_console_part at = {.at = addresses[i]};
        struct {
            struct abi_bundle_part part;
            uint8_t bytes[8];
        } fill = {.part = {.to = addresses[i]}};
        uint32_t fits = fill.part.to <= s.bytes - sizeof(fill.bytes) ? ABI_OK : ABI_BAD_ARG;

        EXPECT(root_ask(port, ABI_CONTROL_LOAD, 0, &p, sizeof(p)) == ABI_BAD_FORMAT);
        EXPECT(root_ask(port, ABI_CONTROL_RING, 0, &p, sizeof(p)) == ABI_BAD_FORMAT);
        EXPECT(root_ask(port, ABI_CONTROL_FILL, 0, &fill, sizeof(fill)) == fits);
        EXPECT(root_ask(port, ABI_CONTROL_CONSOLE_OUTPUT, victim, &at, sizeof(at)) ==
               (at.at == 0 ? ABI_OK : ABI_BAD_ARG));
        EXPECT(root_ask(port, ABI_CONTROL_DESTROY, (uint32_t)addresses[i] | 0x10000, NULL, 0) ==
               ABI_NOT_FOUND);
    }
    EXPECT(victim_lives());
}

static void ids_that_are_nobodys_are_refused(void)
{
    struct abi_port_frame f;
    struct root_answer a;

    EXPECT(root_ask(port, ABI_CONTROL_DESTROY, self, NULL, 0) == ABI_DENIED);
    EXPECT(root_ask(port, ABI_CONTROL_CONSOLE_OUTPUT, self, NULL, 0) == ABI_DENIED);
    for (uint32_t id = victim + 1; id < victim + 200; id++) {
        EXPECT(root_ask(port, ABI_CONTROL_DESTROY, id, NULL, 0) == ABI_NOT_FOUND);
    }
    for (uint32_t operation = ABI_CONTROL_FILL + 1; operation < 64; operation++) {
        EXPECT(root_ask(port, operation, victim, NULL, 0) == ABI_BAD_FORMAT);
    }
    EXPECT(root_ask(port, ABI_CONTROL_PAUSE, victim, NULL, 0) == ABI_OK);
    f = root_frame(ABI_CONTROL_DESTROY, victim, 0);
    f.id = root_told.head.id; /* another request's */
    EXPECT(root_write(port, &f, sizeof(f)) && root_read(port, &a));
    EXPECT(a.head.status == ABI_EXISTS);
    f.id = 0;
    EXPECT(root_write(port, &f, sizeof(f)) && root_read(port, &a));
    EXPECT(a.head.status == ABI_BAD_FORMAT);
    EXPECT(root_ask(port, ABI_CONTROL_RESUME, victim, NULL, 0) == ABI_OK);
}

static void half_a_frame_leaves_nothing(void)
{
    struct abi_port_frame f = root_frame(ABI_CONTROL_DESTROY, victim, 0);

    for (size_t cut = 1; cut < sizeof(f); cut++) {
        EXPECT(root_write(port, &f, cut));
        EXPECT(the_next_is_served());
        EXPECT(victim_lives());
    }
}

/* Closed before it was read: what comes then is the answer to the next request. */
static void an_answer_that_was_not_read_is_gone(void)
{
    struct abi_port_frame f;

    for (unsigned int i = 0; i < 20; i++) {
        f = root_frame(ABI_CONTROL_LIST, 0, 0);
        EXPECT(root_write(port, &f, sizeof(f)));
        EXPECT(the_next_is_served());
    }
}

static void a_call_from_ring_3_is_undefined(void)
{
    for (uint64_t number = 0; number < 64; number++) {
        EXPECT(root_call_is_undefined(number, false));
        EXPECT(root_call_is_undefined(ABI_CALL_BASE + number, false));
        EXPECT(root_call_is_undefined(ABI_CALL_BASE + number, true));
    }
}

static void a_locked_kernel_gives_neither_memory_nor_ports(void)
{
    int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);

    EXPECT(fd < 0 && errno == EPERM);
    EXPECT(ioperm(0xcf8, 8, 1) != 0 && errno == EPERM);
    EXPECT(iopl(3) != 0 && errno == EPERM);
}

static void the_victim_was_never_hurt(void)
{
    EXPECT(victim_lives());
    EXPECT(root_ask(port, ABI_CONTROL_DESTROY, victim, NULL, 0) == ABI_OK);
    close(port);
}

/* ---- in a domain without the feature, whose kernel is not locked ---- */

static void there_is_no_port_and_that_is_said(void)
{
    EXPECT(root_port() == NULL);
    EXPECT(root_shell("cloister list") == 3);
    EXPECT(root_says("the domain's description must have abi 1.2 and the features control and "
                     "control-port"));
    EXPECT(root_shell("cloister list --port /dev/vport0p2") == 3);
}

static void dev_mem_reaches_nobodys_memory(void)
{
    static const uint64_t places[] = {0x1000000, 0xe0000000, 0xfec00000, 0xfee00000, 1ull << 36,
                                      1ull << 46};
    int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);

    EXPECT(fd >= 0);
    for (size_t i = 0; fd >= 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        volatile uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                    (off_t)places[i]);

        if (at != MAP_FAILED) { /* outside RAM: ones, or a page of its own */
            at[0] = (uint8_t)(at[8] + 1);
            munmap((void *)at, 4096);
        }
    }
    close(fd);
}

/* What would end it, or take its devices away, is left out: that would hurt nobody else. */
static bool is_its_own(unsigned int p)
{
    return p == 0x64 || (p >= 0x3f8 && p <= 0x3ff) || (p >= 0x600 && p <= 0x602) ||
           (p >= 0xcf8 && p <= 0xcff) || (p >= 0xc000 && p < 0xf000) || p == 0x61 || p == 0x70;
}

static void every_port_is_read_and_written_and_it_lives(void)
{
    unsigned int ones = 0;

    EXPECT(iopl(3) == 0);
    for (unsigned int p = 0; p < 0x10000; p++) {
        if (!is_its_own(p)) {
            ones += inb((unsigned short)p) == 0xff;
            outb(0xa5, (unsigned short)p);
        }
    }
    EXPECT(ones > 50000);
    outl(0x80000000, 0xcf8); /* the host bridge is there, and all else that PCI has */
    EXPECT(inl(0xcfc) != 0xffffffff);
}

static const struct sentence lord[] = {
    SENTENCE(the_port_has_one_user_at_a_time),
    SENTENCE(garbage_is_answered_and_the_next_is_served),
    SENTENCE(a_length_that_lies_is_refused),
    SENTENCE(no_message_names_memory),
    SENTENCE(ids_that_are_nobodys_are_refused),
    SENTENCE(half_a_frame_leaves_nothing),
    SENTENCE(an_answer_that_was_not_read_is_gone),
    SENTENCE(a_call_from_ring_3_is_undefined),
    SENTENCE(a_locked_kernel_gives_neither_memory_nor_ports),
    SENTENCE(the_victim_was_never_hurt),
    {NULL, NULL},
};

static const struct sentence commoner[] = {
    SENTENCE(there_is_no_port_and_that_is_said),
    SENTENCE(a_call_from_ring_3_is_undefined),
    SENTENCE(dev_mem_reaches_nobodys_memory),
    SENTENCE(every_port_is_read_and_written_and_it_lives),
    {NULL, NULL},
};

int main(void)
{
    bool has_port;

    setenv("PATH", "/bin", 1);
    (void)root_shell("/bin/busybox cat /proc/cmdline");
    has_port = strstr(root_said, "cloister.port=yes") != NULL;
    if (has_port) {
        (void)root_run(root_tool);
    }
    return root_run(has_port ? lord : commoner) == 0 ? 0 : 1;
}
