/*
 * A guest in one file: it finds Cloister, prints, sleeps on a timer, exchanges a message with a
 * peer through shared memory, and asks for the host's evidence. Only the guest library beneath.
 * Two of them, whose descriptions name each other as peers, are a test (tests/guest/list).
 */
#include "abi/guest.h"

/* PVH entry (Xen, docs/misc/pvh.pandoc), then 64-bit mode with 2 GiB mapped to themselves. */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
        "        .long   4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
        "        .asciz  \"Xen\"\n"
        "        .long   start32\n"
        "        .popsection\n"
        "        .code32\n"
        "        .globl  start32\n"
        "start32:\n"
        "        lgdt    gdtr\n"
        "        movl    $0x20, %eax\n" /* PAE */
        "        movl    %eax, %cr4\n"
        "        movl    $table4, %eax\n"
        "        movl    %eax, %cr3\n"
        "        movl    $0xc0000080, %ecx\n"
        "        rdmsr\n"
        "        orl     $0x100, %eax\n" /* LME */
        "        wrmsr\n"
        "        movl    $0x80000011, %eax\n" /* PG, ET, PE */
        "        movl    %eax, %cr0\n"
        "        ljmp    $0x08, $start64\n"
        "        .code64\n"
        "start64:\n"
        "        xorl    %eax, %eax\n"
        "        movl    %eax, %ds\n"
        "        movl    %eax, %es\n"
        "        movl    %eax, %ss\n"
        "        leaq    stack_end, %rsp\n"
        "        call    unikernel\n"
        "        .pushsection .data\n"
        "        .balign 4096\n"
        "table4: .quad   table3 + 3\n"
        "        .fill   511, 8, 0\n"
        "table3: .quad   table2 + 3, table2 + 4096 + 3\n"
        "        .fill   510, 8, 0\n"
        "table2: .set    i, 0\n"
        "        .rept   1024\n"
        "        .quad   i * 0x200000 + 0x83\n"
        "        .set    i, i + 1\n"
        "        .endr\n"
        "gdt:    .quad   0, 0x00af9b000000ffff\n"
        "gdtr:   .word   15\n"
        "        .long   gdt, 0\n"
        "        .popsection\n"
        "        .pushsection .bss\n"
        "        .balign 16\n"
        "        .skip   8192\n"
        "stack_end:\n"
        "        .popsection\n");

#define PEER   0u
#define TAG    1u
#define WINDOW 0x40000000u /* where the peer's page is to be: outside RAM */
#define MS     1000000u

static struct {
    struct abi_console console;
    struct abi_event_area events __attribute__((aligned(64)));
    struct abi_time time;
} shared __attribute__((aligned(4096)));

static struct page {
    uint32_t written;
    char text[4092];
} mine __attribute__((aligned(4096)));

static uint64_t console_port, timer_port, peer_port;

void unikernel(void);

static void print(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0') {
        len++;
    }
    (void)abi_console_write(&shared.console, console_port, text, len);
}

static void print_number(const char *what, uint64_t n)
{
    char text[24];
    size_t at = sizeof(text);

    text[--at] = '\0';
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    print(what);
    print(&text[at]);
}

/* ACPI: SLP_TYP of S5 and SLP_EN to the sleep control register (docs/devices.md). */
static void power_off(void)
{
    for (;;) {
        __asm__ volatile("outb %0, %1" : : "a"((uint8_t)(5 << 2 | 0x20)), "Nd"((uint16_t)0x600));
    }
}

static void must(const char *what, uint64_t status)
{
    if (status != ABI_OK) {
        print_number(what, status);
        power_off();
    }
}

static uint64_t open(uint64_t source, uint64_t argument)
{
    struct abi_result r = abi_do_EVENT_OPEN(source, argument, 0, 0);

    must("cannot open a port: ", r.status);
    return r.value[0];
}

static void begin(void)
{
    uint64_t at = (uint64_t)&shared, handle;

    if (!abi_present()) {
        power_off();
    }
    handle = abi_do_BUF_REGISTER(at, sizeof(shared), 0).value[0];
    (void)abi_do_EVENT_SETUP(handle, (uint64_t)&shared.events - at);
    (void)abi_do_CONSOLE_SETUP(handle, (uint64_t)&shared.console - at);
    console_port = open(ABI_SOURCE_CONSOLE, 0);
    must("no time page: ", abi_do_TIME_SETUP(handle, (uint64_t)&shared.time - at).status);
    print_number("hello, guest ABI ", abi_do_ABI_VERSION().value[0] >> 16);
}

static uint64_t now(void)
{
    return abi_time_ns(&shared.time, abi_counter());
}

static void sleep(uint64_t ns)
{
    must("no timer: ", abi_do_EVENT_TIMER(timer_port, now() + ns).status);
    abi_event_wait(&shared.events, timer_port);
}

static void use_a_timer(void)
{
    uint64_t began = now();

    timer_port = open(ABI_SOURCE_TIMER, 0);
    sleep(5 * MS);
    print(now() - began >= 5 * MS ? "slept 5 ms\n" : "woke too early\n");
}

/* Each offers a page and takes the other's: whoever comes first waits. */
static void talk_to_the_peer(void)
{
    static const char text[] = "a line from your peer\n";
    struct page *theirs = (struct page *)WINDOW;
    struct abi_result r;

    for (size_t i = 0; i < sizeof(text); i++) {
        mine.text[i] = text[i];
    }
    __atomic_store_n(&mine.written, 1, __ATOMIC_RELEASE);
    r = abi_do_BUF_REGISTER((uint64_t)&mine, sizeof(mine), 0);
    must("cannot register: ", r.status);
    must("cannot offer: ", abi_do_SHARE_OFFER(r.value[0], PEER, TAG, 0).status);
    peer_port = open(ABI_SOURCE_PEER, PEER | (uint64_t)TAG << 32);
    do {
        r = abi_do_SHARE_ACCEPT(PEER, TAG, WINDOW);
        sleep(1 * MS);
    } while (r.status == ABI_NOT_FOUND);
    must("cannot accept: ", r.status);
    while (__atomic_load_n(&theirs->written, __ATOMIC_ACQUIRE) == 0) {
        abi_event_wait(&shared.events, peer_port);
    }
    print(theirs->text);
    while (abi_do_EVENT_SEND(peer_port).status == ABI_BAD_STATE) {
        sleep(1 * MS); /* it is not there yet */
    }
    abi_event_wait(&shared.events, peer_port); /* it has read mine */
}

static void attest(void)
{
    static uint8_t evidence[4096];
    struct abi_result r = abi_do_BUF_REGISTER((uint64_t)evidence, sizeof(evidence), 0);

    r = abi_do_HOST_EVIDENCE(r.value[0], 0, sizeof(evidence));
    if (r.status == ABI_NOT_BUILT) {
        print("the host has no evidence to give\n");
    } else {
        must("no evidence: ", r.status);
        print_number("bytes of evidence: ", r.value[0]);
    }
}

void unikernel(void)
{
    begin();
    use_a_timer();
    talk_to_the_peer();
    attest();
    print("bye\n");
    power_off();
}
