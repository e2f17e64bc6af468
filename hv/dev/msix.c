/*
 * MSI-X (PCI Local Bus 3.0, 6.8.2). The table is plain memory that guest and hypervisor share, so
 * unmasking a vector does not trap: what was raised while masked stays pending here, and the bus
 * looks again on every poll.
 */
#include "arch/barrier.h"
#include "bytes.h"
#include "hv/check.h"
#include "hv/string.h"
#include "pci.h"

#define CONTROL_ENABLE        0x8000u
#define CONTROL_FUNCTION_MASK 0x4000u
#define ENTRY_SIZE            16u
#define ENTRY_DWORDS          4u
#define VECTOR_MASKED         1u /* vector control, dword 3 */
#define BAR2                  2u

static uint16_t control(const struct pci_function *fn)
{
    return get_le16(fn->config + fn->msix.cap + 2);
}

static uint32_t load_dword(const struct msix *m, uint32_t offset)
{
    return load_acquire((const uint32_t *)(const void *)(m->page + offset));
}

static void read_entry(const struct msix *m, unsigned int vector, uint32_t *entry)
{
    for (uint32_t i = ENTRY_DWORDS; i-- > 0;) {
        entry[i] = load_dword(m, vector * ENTRY_SIZE + 4 * i);
    }
}

/*
 * Control is read before address and data, and all of it twice: a guest that masks, changes and
 * unmasks an entry on another CPU must not see a mixture sent. False: masked or changing.
 */
static bool unmasked_entry(const struct msix *m, unsigned int vector, uint32_t *entry)
{
    uint32_t again[ENTRY_DWORDS];

    read_entry(m, vector, entry);
    if ((entry[3] & VECTOR_MASKED) != 0) {
        return false;
    }
    read_entry(m, vector, again);
    return memcmp(entry, again, sizeof(again)) == 0;
}

static bool send(struct pci_function *fn, unsigned int vector)
{
    uint32_t entry[ENTRY_DWORDS];

    if ((control(fn) & CONTROL_FUNCTION_MASK) != 0 || !pci_is_master(fn) ||
        !unmasked_entry(&fn->msix, vector, entry)) {
        return false;
    }
    vm_msi(fn->vm, entry[0] | (uint64_t)entry[1] << 32, entry[2]);
    return true;
}

static void set_pending(struct pci_function *fn, uint64_t pending)
{
    struct msix *m = &fn->msix;

    if (pending == m->pending) {
        return;
    }
    m->pending = pending;
    store_release((uint64_t *)(void *)(m->page + MSIX_PBA_OFFSET), pending);
    if (pending != 0) {
        fn->bus->pending |= 1u << fn->slot;
    } else {
        fn->bus->pending &= ~(1u << fn->slot);
    }
}

void msix_raise(struct pci_function *fn, unsigned int vector)
{
    REQUIRE(vector < fn->msix.vectors);
    if ((control(fn) & CONTROL_ENABLE) == 0) {
        return;
    }
    if (!send(fn, vector)) {
        set_pending(fn, fn->msix.pending | BIT(vector));
    }
}

void msix_deliver(struct pci_function *fn)
{
    uint64_t still = 0;

    if ((control(fn) & CONTROL_ENABLE) == 0) {
        set_pending(fn, 0);
        return;
    }
    for (uint64_t left = fn->msix.pending; left != 0; left &= left - 1) {
        unsigned int vector = (unsigned int)__builtin_ctzll(left);

        if (!send(fn, vector)) {
            still |= BIT(vector);
        }
    }
    set_pending(fn, still);
}

enum abi_status pci_add_msix(struct pci_function *fn, unsigned int vectors)
{
    struct msix *m = &fn->msix;
    uint8_t body[10];

    REQUIRE(vectors >= 1 && vectors <= MSIX_VECTORS_MAX);
    m->page = vm_alloc_page(fn->vm);
    if (m->page == NULL) {
        return ABI_NO_MEMORY;
    }
    m->vectors = (uint16_t)vectors;
    for (unsigned int i = 0; i < vectors; i++) {
        m->page[i * ENTRY_SIZE + 12] = VECTOR_MASKED;
    }
    put_le16(body, (uint16_t)(vectors - 1));
    put_le32(body + 2, 0 | BAR2);
    put_le32(body + 6, MSIX_PBA_OFFSET | BAR2);
    m->cap = pci_add_capability(fn, PCI_CAP_ID_MSIX, body, sizeof(body));
    put_le16(fn->wmask + m->cap + 2, CONTROL_ENABLE | CONTROL_FUNCTION_MASK);
    fn->wmask[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
    put_le32(fn->config + PCI_BAR2, PCI_MMIO_BASE + fn->slot * PAGE_SIZE);
    put_le32(fn->wmask + PCI_BAR2, (uint32_t)PAGE_MASK);
    return ABI_OK;
}
