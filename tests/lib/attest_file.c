#include "attest_file.h"

#include "cu.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (64UL * 1024 * 1024)

uint8_t *file_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = NULL;
    long size;

    if (f == NULL) {
        return NULL;
    }
    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && (unsigned long)size <= FILE_MAX &&
        fseek(f, 0, SEEK_SET) == 0 && (p = malloc((size_t)size + 1)) != NULL) {
        *len = fread(p, 1, (size_t)size, f);
        p[*len] = '\0';
    }
    fclose(f);
    return p;
}

uint8_t *vector_read(const char *name, size_t *len)
{
    const char *dir = cu_vectors();
    char path[512];

    if (dir == NULL) {
        return NULL;
    }
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return file_read(path, len);
}

int vector_add(struct attest_collateral *c, const char *name)
{
    struct attest_error err = {0};
    char text[512];
    size_t len;
    uint8_t *p = vector_read(name, &len);
    enum attest_status st;

    if (p == NULL) {
        fprintf(stderr, "%s: cannot be read\n", name);
        return 1;
    }
    st = attest_collateral_add(c, name, p, len, &err);
    free(p);
    if (st != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, text, sizeof(text)));
        return 1;
    }
    return 0;
}
