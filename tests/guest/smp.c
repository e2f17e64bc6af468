/* Eight vCPUs: INIT, start-up, together and one by one, again, and what they see of each other. */
#include "guest.h"

#define N 8u

extern const char ap_trampoline[], ap_trampoline_end[];

static void all_come_up_one_after_another(void)
{
    expect(smp_start(N));
    for (unsigned int i = 1; i < N; i++) {
        expect_eq(cpus[i].index, i);
    }
}

static volatile uint64_t sum;

static void add(void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < 20000; i++) {
        atomic_add(&sum, 1);
    }
}

static void locked_adds_are_never_lost(void)
{
    for (unsigned int i = 1; i < N; i++) {
        cpu_run(i, add, NULL);
    }
    for (unsigned int i = 1; i < N; i++) {
        cpu_join(i);
    }
    expect_eq(sum, 20000 * (N - 1));
}

static void spin(void *arg)
{
    (void)arg;
    for (;;) {
        sum++;
    }
}

static void init_ends_whatever_it_did(void)
{
    cpu_run(3, spin, NULL);
    delay_us(20000);
    ipi(3, ICR_INIT_);
    delay_us(20000);
    sum = 0;
    delay_us(50000);
    expect_eq(sum, 0);
    cpus[3].online = false;
    cpus[3].work = NULL;
    ipi(3, ICR_SIPI | AP_PAGE);
    expect(cpu_wait_online(3));
    expect_eq(apic_read(APIC_ID), 0);
}

/* APM Vol. 2, table 14-1, at the first instruction in real mode. */
static void start_up_state_is_the_documented_one(void)
{
    static const uint8_t code[] = {
        0x2e, 0x66, 0x89, 0x16, 0x00, 0x01,       /* mov %edx, %cs:0x100 */
        0x2e, 0x66, 0x89, 0x26, 0x04, 0x01,       /* mov %esp, %cs:0x104 */
        0x8c, 0xc8, 0x2e, 0xa3, 0x08, 0x01,       /* mov %cs, %ax; mov %ax, %cs:0x108 */
        0x0f, 0x20, 0xc0, 0x2e, 0x66, 0xa3, 0x0c, 0x01, /* mov %cr0, %eax; ... 0x10c */
        0x66, 0x9c, 0x66, 0x58, 0x2e, 0x66, 0xa3, 0x10, 0x01, /* pushfl; popl %eax; ... 0x110 */
        0x2e, 0xc6, 0x06, 0x14, 0x01, 0x01,       /* movb $1, %cs:0x114 */
        0xfa, 0xf4, 0xeb, 0xfc,                   /* cli; hlt; again */
    };
    volatile uint8_t *page = (volatile uint8_t *)0x9000;
    volatile uint32_t *saw = (volatile uint32_t *)0x9100;

    memset((void *)page, 0, 0x200);
    memcpy((void *)page, code, sizeof(code));
    ipi(5, ICR_INIT_);
    ipi(5, ICR_SIPI | 9);
    expect(within_ms(10000, page[0x114] == 1));
    expect_eq(saw[0], cpuid(1, 0).eax);
    expect_eq(saw[1] & 0xffff, 0);
    expect_eq(saw[2] & 0xffff, 0x900);
    expect_eq(saw[3] & ~CR0_ET & 0xffffffff, saw[3] & (CR0_CD | CR0_NW));
    expect_eq(saw[4], 2);
    cpus[5].online = false;
    ipi(5, ICR_INIT_);
    ipi(5, ICR_SIPI | AP_PAGE);
    expect(cpu_wait_online(5));
}

static void a_start_up_ipi_to_a_running_one_is_ignored(void)
{
    for (unsigned int i = 0; i < 10; i++) {
        ipi(0, ICR_SIPI | ICR_OTHERS | 0x9f);
    }
    sum = 0;
    cpu_run(2, add, NULL);
    cpu_join(2);
    expect_eq(sum, 20000);
}

static void all_start_together_by_broadcast(void)
{
    ipi(0, ICR_SIPI | ICR_OTHERS | 0x9f); /* not there yet when the INIT comes: still ignored */
    ipi(0, ICR_INIT_ | ICR_OTHERS);
    delay_us(20000);
    for (unsigned int i = 1; i < N; i++) {
        cpus[i].online = false;
    }
    ipi(0, ICR_SIPI | ICR_OTHERS | AP_PAGE);
    for (unsigned int i = 1; i < N; i++) {
        expect(cpu_wait_online(i));
    }
}

static void look(void *arg)
{
    (void)arg;
    expect_eq(read_cr3(), (uint64_t)page_table4);
    expect_eq(rdmsr(MSR_APIC_BASE), 0xfee00c00);
}

static void only_the_first_is_the_boot_cpu(void)
{
    for (unsigned int i = 1; i < N; i++) {
        cpu_run(i, look, NULL);
        cpu_join(i);
    }
}

const struct test tests[] = {
    TEST(all_come_up_one_after_another),
    TEST(locked_adds_are_never_lost),
    TEST(init_ends_whatever_it_did),
    TEST(start_up_state_is_the_documented_one),
    TEST(a_start_up_ipi_to_a_running_one_is_ignored),
    TEST(all_start_together_by_broadcast),
    TEST(only_the_first_is_the_boot_cpu),
    TEST_END,
};
