/*
 * A guest in one file: it finds Cloister, prints, sleeps on a timer, exchanges a message with a
 * peer through shared memory, and attests itself. Only the guest library beneath, and what the kind
 * of domain asks for: plain.c, or snp.c of an SEV-SNP guest (machine.h). Two of them, whose
 * descriptions name each other as peers, are a test (tests/guest/list).
 */
#include "machine.h"

#define PEER   0u
#define TAG    1u
#define WINDOW 0x40000000u /* where the peer's page is to be: outside RAM */
#define MS     1000000u

static struct {
    struct abi_console console;
    struct abi_event_area events __attribute__((aligned(64)));
    struct abi_time time;
} shared SHARED;

static struct page {
    uint32_t written;
    char text[4092];
} mine SHARED;

static uint64_t console_port, timer_port, peer_port;

void print(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0') {
        len++;
    }
    (void)abi_console_write(&shared.console, console_port, text, len);
}

void print_number(const char *what, uint64_t n)
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

/* "WHAT xxxx...", as many lines as it takes; the console takes 2 KiB at a time. */
void print_bytes(const char *what, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[65] = {0};

    for (size_t at = 0; at < n; at += 32) {
        size_t len = n - at < 32 ? n - at : 32;

        for (size_t i = 0; i < len; i++) {
            text[2 * i] = digits[bytes[at + i] >> 4];
            text[2 * i + 1] = digits[bytes[at + i] & 15];
        }
        text[2 * len] = '\0';
        print(what);
        print(text);
        print("\n");
    }
}

void must(const char *what, uint64_t status)
{
    if (status != ABI_OK) {
        print_number(what, status);
        machine_off();
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

    if (!machine_has_abi()) {
        machine_off();
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

void unikernel(void)
{
    begin();
    use_a_timer();
    talk_to_the_peer();
    machine_attest();
    print("bye\n");
    machine_off();
}
