/* From hand-over to the last domain: options, bundle, ticks, idle. */
#include <stdio.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "hv/init.h"
#include "hv/log.h"

#define MS 1000000ull

static unsigned int created;
static struct vm *vms[4];

static enum abi_status create(const struct bundle *b, uint32_t i)
{
    created++;
    if (i == 1) {
        return ABI_NOT_BUILT;
    }
    vms[i] = core_vm(i == 0 ? "first" : "third", 1, 100, UINT64_MAX);
    vm_set_origin(vms[i], b, i);
    vm_start(vms[i]);
    return ABI_OK;
}

static void boot_with(const char *cmdline, uint32_t domains, enum abi_status bundle)
{
    fake_ram_size(MiB(64));
    snprintf(boot_info.cmdline, sizeof(boot_info.cmdline), "%s", cmdline);
    boot_info.bundle = (struct boot_range){MiB(8), domains == 0 ? 0 : 5000};
    core_boot_map(3, 2);
    fake_play(2);
    created = 0;
    core_bundle_status = bundle;
    core_bundle_domains = domains;
    core_domain_create = create;
    fake_boot_fn = hv_main;
    fake_start_in_step(3);
    fake_run_until(time_ns() + MS);
}

static void boot(const char *cmdline, uint32_t domains)
{
    boot_with(cmdline, domains, ABI_OK);
}

static void pass(uint64_t ns)
{
    fake_run_until(time_ns() + ns);
}

static void finish(void)
{
    fake_stop();
    core_done();
}

static bool says(const char *text)
{
    return strstr(fake_console(), text) != NULL;
}

static bool link_says(const char *text)
{
    size_t len;
    const uint8_t *link = fake_link(&len);

    return memmem(link, len, text, strlen(text)) != NULL;
}

static void without_a_bundle_it_says_so_and_idles(void)
{
    boot("", 0);
    CU_ASSERT(says("no bundle: give the boot loader one as its module"));
    CU_ASSERT(says("Cloister test: 3 CPUs, 63 MiB"));
    CU_ASSERT(says("no domain left; "));
    CU_ASSERT(says(" 0 pages leaked"));
    pass(1000 * MS);
    CU_ASSERT(fake_sleeps(0) && fake_sleeps(1));
    CU_ASSERT_PTR_NULL(cpu_at(0)->timers); /* not even a tick */
    finish();
}

static void a_broken_bundle_is_told_and_starts_nothing(void)
{
    boot_with("", 3, ABI_BAD_FORMAT);
    CU_ASSERT(says("error: bundle: /domains/x: no such thing"));
    CU_ASSERT_EQUAL(created, 0);
    pass(50 * MS);
    finish();
}

static void domains_start_though_one_of_them_does_not(void)
{
    boot("link=com2", 3);
    CU_ASSERT_EQUAL(created, 3);
    CU_ASSERT(says("domain 1 of the bundle was not started"));
    CU_ASSERT_EQUAL(vm_count(), 2);
    CU_ASSERT(link_says("\"event\":\"hypervisor\",\"version\":\"test\",\"cpus\":3"));
    CU_ASSERT(link_says("\"name\":\"third\",\"cc\":\"none\",\"state\":\"running\""));
    vm_end(vms[0], VM_POWER_OFF, "asked");
    pass(50 * MS);
    CU_ASSERT(link_says("\"name\":\"first\",\"state\":\"gone\""));
    CU_ASSERT_FALSE(link_says("\"event\":\"idle\""));
    vm_end(vms[2], VM_TRIPLE_FAULT, "vCPU 0");
    pass(50 * MS);
    CU_ASSERT(link_says("\"event\":\"idle\""));
    CU_ASSERT(link_says("\"leaked\":0"));
    finish();
}

/* The first domain is over before the second is ready: building that takes its time. */
static enum abi_status create_slowly(const struct bundle *b, uint32_t i)
{
    if (i == 1) {
        fake_wait(time_ns() + 20 * MS);
    }
    (void)create(b, 2 * i);
    if (i == 0) {
        vm_end(vms[0], VM_POWER_OFF, "asked");
    }
    return ABI_OK;
}

static void a_domain_that_ends_at_once_does_not_make_the_machine_idle(void)
{
    fake_ram_size(MiB(64));
    snprintf(boot_info.cmdline, sizeof(boot_info.cmdline), "link=com2");
    boot_info.bundle = (struct boot_range){MiB(8), 100};
    core_boot_map(3, 2);
    fake_play(2);
    core_bundle_status = ABI_OK;
    core_bundle_domains = 2;
    core_domain_create = create_slowly;
    fake_boot_fn = hv_main;
    fake_start_in_step(9);
    pass(15 * MS);
    CU_ASSERT_EQUAL(vm_count(), 0);
    CU_ASSERT_FALSE(link_says("\"event\":\"idle\""));
    pass(50 * MS);
    CU_ASSERT_EQUAL(vm_count(), 1);
    CU_ASSERT_PTR_NOT_NULL(cpu_at(0)->timers); /* the tick */
    vm_end(vms[2], VM_POWER_OFF, "asked");
    pass(50 * MS);
    CU_ASSERT(link_says("\"event\":\"idle\""));
    finish();
}

static unsigned int polls, served;

static void on_poll(struct vm_hook *h)
{
    (void)h;
    polls++;
}

static void on_serve(struct vm_hook *h)
{
    (void)h;
    served++;
}

static void every_tick_polls_the_devices_and_shows_the_prompt(void)
{
    struct vm_hook hook = {.poll = on_poll, .serve = on_serve};

    boot("", 1);
    vm_hook_add(vms[0], &hook);
    polls = 0;
    served = 0;
    vm_dev_lock(vms[0]);
    stream_write(vms[0], STREAM_CONSOLE, "login: ", 7);
    vm_dev_unlock(vms[0]);
    pass(1000 * MS);
    CU_ASSERT(polls >= 99 && polls <= 101);
    CU_ASSERT_EQUAL(served, 0); /* nobody asked */
    CU_ASSERT(says("first| login: \r\n"));
    vm_end(vms[0], VM_POWER_OFF, "asked");
    pass(50 * MS);
    CU_ASSERT_PTR_NULL(cpu_at(0)->timers);
    finish();
}

static void a_command_on_the_link_is_obeyed_within_a_tick(void)
{
    static const char destroy[] = "CL\x05\0\x01\0\x07\0destroy";

    boot("quiet link=com2", 1);
    CU_ASSERT_EQUAL(vm_id(vms[0]), 1);
    fake_link_input(destroy, sizeof(destroy) - 1);
    pass(11 * MS);
    CU_ASSERT(link_says("\"cause\":\"destroyed\",\"detail\":\"by the host\""));
    CU_ASSERT_EQUAL(vm_count(), 0);
    pass(50 * MS);
    finish();
}

static void options_are_words_of_the_command_line(void)
{
    static const struct {
        const char *cmdline;
        const char *says;
    } lines[] = {
        {"loglevel=loud", "loglevel=loud: not one of"},
        {"loglevel=aVeryLongWordThatIsCut", "loglevel=aVeryLongWordTh: not one of"},
        {"x loglevel= link=com9", "link=com9: only com2 is known"},
        {"loglevel=info xlink=com9 link", "warning: no bundle"},
        {"  loglevel=info  ", "info: Cloister"},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
        boot(lines[i].cmdline, 0);
        CU_ASSERT(says(lines[i].says));
        CU_ASSERT_EQUAL(says("only com2"), i == 2);
        finish();
    }
    boot("loglevel=error", 0);
    CU_ASSERT_STRING_EQUAL(fake_console(), "");
    finish();
}

static void clocks_agree(void)
{
    core_boot(MiB(16), 1);
    fake_clock_set(5000000000ull);
    fake_wall(1000);
    CU_ASSERT_EQUAL(time_ns(), 5000000000ull);
    CU_ASSERT_EQUAL(time_us(), 5000000);
    CU_ASSERT_EQUAL(time_wall(), 1005);
    core_done();
}

static const struct cu_test tests[] = {
    CU(without_a_bundle_it_says_so_and_idles),
    CU(a_broken_bundle_is_told_and_starts_nothing),
    CU(domains_start_though_one_of_them_does_not),
    CU(a_domain_that_ends_at_once_does_not_make_the_machine_idle),
    CU(every_tick_polls_the_devices_and_shows_the_prompt),
    CU(a_command_on_the_link_is_obeyed_within_a_tick),
    CU(options_are_words_of_the_command_line),
    CU(clocks_agree),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_init", tests, argc, argv);
}
