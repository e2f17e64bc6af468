/* The broker at the other end of the channel: lines "broker ..." both ways, one at a time. */
#include "agent.h"
#include "attest.h"

#include <attest/hex.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 120000 /* machines that emulate everything may be loaded, too */

static bool send_all(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(say_channel(), text, length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text += n;
        length -= (size_t)n;
    }
    return true;
}

/* The next line for us; whatever else comes on the channel is not ours to read. */
static const char *receive(void)
{
    static struct reply_lines lines;
    struct pollfd wait = {.fd = say_channel(), .events = POLLIN};
    char c;

    while (poll(&wait, 1, ANSWER_MS) > 0 && read(wait.fd, &c, 1) == 1) {
        if (reply_byte(&lines, c) && reply_of(lines.text) != NULL) {
            return reply_of(lines.text);
        }
    }
    return NULL;
}

const char *broker_ask(const char *verb, const char *argument)
{
    const char *answer = NULL;
    char *line;
    int n;

    if (say_channel() < 0) {
        say_failed("there is no channel to a broker");
        return NULL;
    }
    n = asprintf(&line, REPLY_PREFIX "%s%s%s\n", verb, argument != NULL ? " " : "",
                 argument != NULL ? argument : "");
    if (n > 0 && send_all(line, (size_t)n)) {
        answer = receive();
    }
    if (n > 0) {
        free(line);
    }
    if (answer == NULL) {
        say_failed("the broker does not answer '%s'", verb);
    }
    return answer;
}

const char *broker_ask_bytes(const char *verb, const uint8_t *p, size_t len)
{
    char *text = malloc(4 * ((len + 2) / 3) + 1);
    const char *answer;

    if (text == NULL) {
        say_failed("out of memory");
        return NULL;
    }
    base64_encode(p, len, false, text);
    answer = broker_ask(verb, text);
    free(text);
    return answer;
}

bool broker_ok(const char *answer, const char *verb)
{
    if (answer != NULL && strcmp(answer, "ok") == 0) {
        return true;
    }
    if (answer != NULL) {
        say_failed("the broker answers '%s' with: %.200s", verb, answer);
    }
    return false;
}
