#include "disk.h"

#include "hv/check.h"
#include "hv/io.h"
#include "hv/string.h"

#define TABLE_ENTRIES (PAGE_SIZE / sizeof(void *))
#define TABLE_SPAN    (TABLE_ENTRIES * PAGE_SIZE) /* bytes of disk behind one table */
#define TOP_MAX       MiB(4)                      /* what vm_alloc gives at most */

static const uint8_t zeroes[SECTOR_SIZE];

enum abi_status disk_init(struct disk *d, struct vm *vm, const struct device_config *cfg)
{
    uint64_t tables;

    d->vm = vm;
    d->image = cfg->image;
    d->image_len = cfg->image == NULL ? 0 : cfg->size;
    d->sectors = cfg->size / SECTOR_SIZE + (cfg->size % SECTOR_SIZE != 0 ? 1 : 0);
    if (d->sectors == 0) {
        return ABI_BAD_ARG;
    }
    if (cfg->image != NULL && !cfg->writable) {
        return ABI_OK;
    }
    tables = cfg->size / TABLE_SPAN + (cfg->size % TABLE_SPAN != 0 ? 1 : 0);
    if (tables > TOP_MAX / sizeof(void *)) {
        return ABI_LIMIT;
    }
    d->table = vm_alloc(vm, (size_t)tables * sizeof(void *));
    return d->table == NULL ? ABI_NO_MEMORY : ABI_OK;
}

/* The page of its own that holds byte `at`, or NULL. */
static uint8_t *own_page(const struct disk *d, uint64_t at)
{
    void **table = d->table == NULL ? NULL : d->table[at / TABLE_SPAN];

    return table == NULL ? NULL : table[at / PAGE_SIZE % TABLE_ENTRIES];
}

/* The same, made on demand with what the image has there. NULL: no memory. */
static uint8_t *make_page(struct disk *d, uint64_t at)
{
    uint64_t start = at & PAGE_MASK;
    void ***top = &d->table[at / TABLE_SPAN];
    void **slot;

    if (*top == NULL && (*top = vm_alloc_page(d->vm)) == NULL) {
        return NULL;
    }
    slot = &(*top)[at / PAGE_SIZE % TABLE_ENTRIES];
    if (*slot != NULL) {
        return *slot;
    }
    *slot = vm_alloc_page(d->vm);
    if (*slot != NULL && start < d->image_len) {
        memcpy(*slot, d->image + start, MIN(PAGE_SIZE, d->image_len - start));
    }
    return *slot;
}

/* The longest piece from `at` on that lies in one place in memory. */
static const uint8_t *piece(const struct disk *d, uint64_t at, uint64_t len, uint32_t *n)
{
    const uint8_t *page = own_page(d, at);
    uint64_t in_page = PAGE_SIZE - at % PAGE_SIZE;

    if (page != NULL) {
        *n = (uint32_t)MIN(len, in_page);
        return page + at % PAGE_SIZE;
    }
    if (at < d->image_len) {
        *n = (uint32_t)MIN(MIN(len, in_page), d->image_len - at);
        return d->image + at;
    }
    *n = (uint32_t)MIN(MIN(len, in_page), sizeof(zeroes));
    return zeroes;
}

enum abi_status disk_read(struct disk *d, struct virtq *q, uint64_t at, uint64_t len)
{
    uint32_t n;

    REQUIRE(at <= d->sectors * SECTOR_SIZE && len <= d->sectors * SECTOR_SIZE - at);
    for (; len > 0; at += n, len -= n) {
        const uint8_t *p = piece(d, at, len, &n);

        if (!virtq_put(q, p, n)) {
            return ABI_BAD_ADDRESS;
        }
    }
    return ABI_OK;
}

enum abi_status disk_write(struct disk *d, struct virtq *q, uint64_t at, uint64_t len)
{
    uint32_t n;

    REQUIRE(d->table != NULL);
    REQUIRE(at <= d->sectors * SECTOR_SIZE && len <= d->sectors * SECTOR_SIZE - at);
    for (; len > 0; at += n, len -= n) {
        uint8_t *page = make_page(d, at);

        if (page == NULL) {
            return ABI_NO_MEMORY;
        }
        n = (uint32_t)MIN(len, PAGE_SIZE - at % PAGE_SIZE);
        if (!virtq_get(q, page + at % PAGE_SIZE, n)) {
            return ABI_BAD_ADDRESS;
        }
    }
    return ABI_OK;
}
