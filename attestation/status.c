#include <attest/status.h>

static const struct {
    const char *name;
    const char *text;
    int class;
} statuses[] = {
#define ATTEST_STATUS(name, class, text) {#name, text, class},
#include <attest/status.def>
#undef ATTEST_STATUS
};

const char *attest_status_name(enum attest_status st)
{
    return (unsigned int)st < ATTEST_STATUS_COUNT ? statuses[st].name : "INTERNAL";
}

const char *attest_status_text(enum attest_status st)
{
    return (unsigned int)st < ATTEST_STATUS_COUNT ? statuses[st].text : "unknown status";
}

int attest_status_class(enum attest_status st)
{
    return (unsigned int)st < ATTEST_STATUS_COUNT ? statuses[st].class : 2;
}
