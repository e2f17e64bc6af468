/* Frames between guests on one network, without an IP stack: each calls, and hears the others. */
#include "agent.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE_LOCAL 0x88b5 /* IEEE 802, for local experiments */
#define FRAME_BYTES     1000
#define ROUNDS_AFTER    30 /* calls after the first answer, so that the peer hears us, too */
#define ROUND_MS        100

static bool find_card(char name[IFNAMSIZ])
{
    struct dirent *entry;
    DIR *cards = opendir("/sys/class/net");
    bool found = false;

    while (cards != NULL && !found && (entry = readdir(cards)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0 && length < IFNAMSIZ) {
            memcpy(name, entry->d_name, length + 1);
            found = true;
        }
    }
    if (cards != NULL) {
        closedir(cards);
    }
    return found;
}

/* Brings the card up; a raw socket on it, or -1. */
static int open_card(const char *name, unsigned char mac[6])
{
    struct ifreq request = {.ifr_flags = 0};
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_LOCAL)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE_LOCAL));

    memcpy(request.ifr_name, name, IFNAMSIZ);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) != 0) {
        return -1;
    }
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    request.ifr_flags = IFF_UP;
    address.sll_ifindex = (int)if_nametoindex(name);
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return -1;
    }
    return fd;
}

static void call(int fd, const unsigned char mac[6], unsigned char round)
{
    unsigned char frame[FRAME_BYTES];

    memset(frame, round, sizeof(frame));
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    frame[12] = ETHERTYPE_LOCAL >> 8;
    frame[13] = ETHERTYPE_LOCAL & 0xff;
    if (write(fd, frame, sizeof(frame)) < 0 && errno != ENETDOWN && errno != ENOBUFS) {
        say_failed("a frame cannot be sent: %s", strerror(errno));
    }
}

/* One frame from another guest, whole and as it was sent? */
static bool heard_sound(int fd, const unsigned char mac[6])
{
    unsigned char frame[2048];
    ssize_t n = read(fd, frame, sizeof(frame));

    if (n < 14 || memcmp(frame + 6, mac, 6) == 0) {
        return false;
    }
    for (ssize_t i = 15; i < n; i++) {
        if (n != FRAME_BYTES || frame[i] != frame[14]) {
            say_failed("a frame of %zd bytes arrived damaged", n);
            return false;
        }
    }
    return true;
}

static unsigned int talk(int fd, const unsigned char mac[6], unsigned int rounds)
{
    unsigned int heard = 0;
    unsigned int after = 0;

    for (unsigned int i = 0; i < rounds && after < ROUNDS_AFTER; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        call(fd, mac, (unsigned char)i);
        while (poll(&wait, 1, heard == 0 ? ROUND_MS : ROUND_MS / 10) > 0) {
            heard += heard_sound(fd, mac);
        }
        after += heard > 0;
    }
    return heard;
}

void work_net(unsigned int seconds)
{
    char name[IFNAMSIZ];
    unsigned char mac[6];
    unsigned int heard;
    int fd;

    if (!find_card(name) || (fd = open_card(name, mac)) < 0) {
        say_failed("there is no network card to use: %s", strerror(errno));
        return;
    }
    heard = talk(fd, mac, (seconds == 0 ? 30 : seconds) * 1000 / ROUND_MS);
    close(fd);
    say("net %s: heard %u frames of other guests", name, heard);
    say_event("net", "\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",\"heard\":%u", mac[0], mac[1],
              mac[2], mac[3], mac[4], mac[5], heard);
    if (heard == 0) {
        say_failed("no other guest was heard on %s", name);
    }
}
