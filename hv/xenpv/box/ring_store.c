/* The xenstore's ring: a page of the guest's, which the box holds. */
#include "../store.h"

#include "box.h"

#define DOMID 1u

static struct store store;
static uint32_t port;

static bool load(void *page, uint32_t offset, uint32_t *value)
{
    *value = __atomic_load_n((uint32_t *)(void *)((uint8_t *)page + offset), __ATOMIC_ACQUIRE);
    return true;
}

static bool save(void *page, uint32_t offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)(void *)((uint8_t *)page + offset), value, __ATOMIC_RELEASE);
    return true;
}

static bool read_bytes(void *page, uint32_t offset, void *to, uint32_t len)
{
    memcpy(to, (uint8_t *)page + offset, len);
    return true;
}

static bool write_bytes(void *page, uint32_t offset, const void *from, uint32_t len)
{
    memcpy((uint8_t *)page + offset, from, len);
    return true;
}

static struct store_io io = {NULL, load, save, read_bytes, write_bytes};

void store_kick(void)
{
    if (store_serve(&store, &io)) {
        event_raise(port);
    }
}

void store_create(void *ring, uint32_t event_port)
{
    io.of = ring;
    port = event_port;
    nodes_init(&store.nodes, DOMID, "pv64");
    for (uint32_t i = 0; i < box.vcpus; i++) {
        char path[NODE_PATH];

        snprintf(path, sizeof(path), "%s/cpu/%u/availability", store.nodes.home, i);
        CHECK(nodes_write(&store.nodes, path, (const uint8_t *)"online", 6) == NULL);
    }
}
