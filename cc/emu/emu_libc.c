/*
 * What Debian's libbearssl.a wants of a C library beyond mem* and str*: the checked copies that
 * _FORTIFY_SOURCE made of them. The image only; host programs have the real ones.
 */
#include "hv/check.h"
#include "hv/string.h"

void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room);
void *__memset_chk(void *dst, int c, size_t n, size_t room);

void *__memcpy_chk(void *dst, const void *src, size_t n, size_t room)
{
    REQUIRE(n <= room);
    return memcpy(dst, src, n);
}

void *__memset_chk(void *dst, int c, size_t n, size_t room)
{
    REQUIRE(n <= room);
    return memset(dst, c, n);
}
