#include <attest/cert.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Two fixed shapes; sscanf alone would take blanks and signs. */
static bool has_shape(const char *s, const char *shape)
{
    if (strlen(s) != strlen(shape)) {
        return false;
    }
    for (; *s != '\0'; s++, shape++) {
        if (*shape == '0' ? *s < '0' || *s > '9' : *s != *shape) {
            return false;
        }
    }
    return true;
}

bool attest_time_parse(const char *s, int64_t *out)
{
    struct tm tm = {0};
    struct tm back;
    time_t t;
    bool date_only = has_shape(s, "0000-00-00");

    if (!date_only && !has_shape(s, "0000-00-00T00:00:00Z")) {
        return false;
    }
    sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
           &tm.tm_min, &tm.tm_sec);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    back = tm;
    t = timegm(&back);
    /* timegm normalises 31 February; a real date comes back unchanged. */
    if (back.tm_year != tm.tm_year || back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
        back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec) {
        return false;
    }
    *out = t;
    return true;
}

char *attest_time_text(int64_t t, char *buf)
{
    struct tm tm;
    time_t tt = (time_t)t;

    if (gmtime_r(&tt, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        return strcpy(buf, "(out of range)");
    }
    strftime(buf, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}
