/*
 * The page-ownership table, and the pool of free pages: a binary buddy system whose free lists are
 * threaded through the table. page.h draws the states.
 */
#include "hv/page.h"

#include "arch/boot.h"
#include "arch/lock.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

static struct {
    struct lock lock;
    struct page *table;
    uint64_t count; /* entries */
    uint32_t head[PAGE_ORDER_MAX + 1];
    uint64_t free;
    uint64_t total;
} pool;

static struct boot_range table_range;

static struct page *page_at(uint64_t number)
{
    CHECK(number < pool.count);
    return &pool.table[number];
}

static void list_add(uint64_t number, unsigned int order)
{
    struct page *p = page_at(number);
    uint32_t head = pool.head[order];

    p->order = (uint8_t)order;
    p->prev = 0;
    p->next = head;
    if (head != 0) {
        page_at(head)->prev = (uint32_t)number;
    }
    pool.head[order] = (uint32_t)number;
}

static void list_remove(uint64_t number)
{
    struct page *p = page_at(number);

    if (p->prev != 0) {
        page_at(p->prev)->next = p->next;
    } else {
        pool.head[p->order] = p->next;
    }
    if (p->next != 0) {
        page_at(p->next)->prev = p->prev;
    }
}

static void set_all(uint64_t number, unsigned int order, enum page_state state, uint16_t owner)
{
    struct page *end = pool.table + number + BIT(order);

    for (struct page *p = pool.table + number; p < end; p++) {
        p->state = (uint8_t)state;
        p->owner = owner;
        p->order = 0xff;
    }
    pool.table[number].order = (uint8_t)order;
}

/* Is this the head of a free block of that order? Tails carry order FFh. */
static bool is_free_block(uint64_t number, unsigned int order)
{
    return number + BIT(order) <= pool.count && pool.table[number].state == PAGE_FREE &&
           pool.table[number].order == order;
}

static void release(uint64_t number, unsigned int order)
{
    store_once(&pool.free, pool.free + BIT(order));
    set_all(number, order, PAGE_FREE, 0);
    while (order < PAGE_ORDER_MAX) {
        uint64_t buddy = number ^ BIT(order);

        if (!is_free_block(buddy, order)) {
            break;
        }
        list_remove(buddy);
        page_at(MAX(number, buddy))->order = 0xff;
        number = MIN(number, buddy);
        order++;
    }
    list_add(number, order);
}

static bool take(unsigned int order, uint64_t *number)
{
    unsigned int have = order;

    while (have <= PAGE_ORDER_MAX && pool.head[have] == 0) {
        have++;
    }
    if (have > PAGE_ORDER_MAX) {
        return false;
    }
    *number = pool.head[have];
    list_remove(*number);
    while (have > order) {
        have--;
        list_add(*number + BIT(have), have);
    }
    store_once(&pool.free, pool.free - BIT(order));
    return true;
}

bool page_alloc(unsigned int order, enum page_state as, uint16_t owner, pa_t *out)
{
    uint64_t number;
    bool got;

    REQUIRE(order <= PAGE_ORDER_MAX);
    REQUIRE(as == PAGE_HV || as == PAGE_TABLE || as == PAGE_GUEST);
    lock(&pool.lock);
    got = take(order, &number);
    if (got) {
        set_all(number, order, as, owner);
    }
    unlock(&pool.lock);
    if (!got) {
        return false;
    }
    *out = pa(number << PAGE_SHIFT);
    if (as != PAGE_GUEST) {
        memset(pa_to_hva(*out), 0, PAGE_SIZE << order);
    }
    return true;
}

void page_free(pa_t at, enum page_state was, uint16_t owner)
{
    uint64_t number = at.v >> PAGE_SHIFT;
    unsigned int order;
    struct page *p;

    REQUIRE(IS_ALIGNED(at.v, PAGE_SIZE) && number < pool.count);
    lock(&pool.lock);
    p = page_at(number);
    REQUIRE(p->state == was && was >= PAGE_HV && p->owner == owner && p->order <= PAGE_ORDER_MAX);
    REQUIRE(p->pins == 0);
    order = p->order;
    for (struct page *end = p + BIT(order); p < end; p++) {
        p->used = true;
    }
    release(number, order);
    unlock(&pool.lock);
}

void page_split(pa_t at, unsigned int to)
{
    uint64_t number = at.v >> PAGE_SHIFT;
    struct page *p;
    uint64_t count;

    REQUIRE(IS_ALIGNED(at.v, PAGE_SIZE) && number < pool.count);
    lock(&pool.lock);
    p = page_at(number);
    REQUIRE(p->state >= PAGE_HV && p->order <= PAGE_ORDER_MAX && to <= p->order);
    count = BIT(p->order);
    for (uint64_t i = 0; i < count; i += BIT(to)) {
        page_at(number + i)->order = (uint8_t)to;
    }
    unlock(&pool.lock);
}

static bool leaves(enum page_state from, enum page_state to)
{
    REQUIRE((from == PAGE_GUEST && to == PAGE_PRIVATE) ||
            (from == PAGE_PRIVATE && to == PAGE_GUEST) || (from == PAGE_HV && to == PAGE_CHIP) ||
            (from == PAGE_CHIP && to == PAGE_HV));
    return to == PAGE_PRIVATE || to == PAGE_CHIP;
}

static bool all_are(uint64_t number, uint64_t count, enum page_state state, uint16_t owner)
{
    const struct page *p = page_at(number);

    for (uint64_t i = 0; i < count; i++, p++) {
        if (p->state != state || p->owner != owner || p->pins != 0) {
            return false;
        }
    }
    return true;
}

static void set_states(uint64_t number, uint64_t count, enum page_state to)
{
    REQUIRE(lock_held(&pool.lock));
    for (uint64_t i = 0; i < count; i++) {
        store_once(&pool.table[number + i].state, (uint8_t)to); /* page_state_of takes no lock */
    }
}

/* A page that comes back is nobody's until it can be reached, and holds what it may. */
static enum abi_status move(pa_t at, unsigned int order, enum page_state from, enum page_state to,
                            uint16_t owner, bool clear)
{
    uint64_t number = at.v >> PAGE_SHIFT;
    uint64_t count = BIT(order);
    bool leaving = leaves(from, to);

    REQUIRE(IS_ALIGNED(number, count) && number + count <= pool.count);
    lock(&pool.lock);
    if (!all_are(number, count, from, owner)) {
        unlock(&pool.lock);
        return ABI_BAD_STATE;
    }
    set_states(number, count, leaving ? to : PAGE_RETURNING);
    unlock(&pool.lock);
    if (!leaving) {
        arch_map_show(at, count << PAGE_SHIFT);
        if (clear) {
            memset(pa_to_hva(at), 0, count << PAGE_SHIFT);
        }
    } else if (arch_map_hide(at, count << PAGE_SHIFT)) {
        return ABI_OK;
    }
    lock(&pool.lock);
    set_states(number, count, leaving ? from : to);
    unlock(&pool.lock);
    return leaving ? ABI_NO_MEMORY : ABI_OK;
}

enum abi_status page_move(pa_t at, unsigned int order, enum page_state from, enum page_state to,
                          uint16_t owner)
{
    return move(at, order, from, to, owner, from == PAGE_PRIVATE);
}

enum abi_status page_return(pa_t at, unsigned int order, uint16_t owner)
{
    return move(at, order, PAGE_PRIVATE, PAGE_GUEST, owner, false);
}

bool page_used(pa_t at, unsigned int order)
{
    uint64_t number = at.v >> PAGE_SHIFT;
    bool used = false;

    REQUIRE(number + BIT(order) <= pool.count);
    for (uint64_t i = 0; i < BIT(order) && !used; i++) {
        used = pool.table[number + i].used;
    }
    return used;
}

bool page_pin(pa_t at, uint16_t owner)
{
    struct page *p = page_at(at.v >> PAGE_SHIFT);
    bool ok;

    lock(&pool.lock);
    ok = p->state == PAGE_GUEST && p->owner == owner && p->pins < UINT16_MAX;
    p->pins = (uint16_t)(p->pins + ok);
    unlock(&pool.lock);
    return ok;
}

void page_unpin(pa_t at, uint16_t owner)
{
    struct page *p = page_at(at.v >> PAGE_SHIFT);

    lock(&pool.lock);
    REQUIRE(p->state == PAGE_GUEST && p->owner == owner && p->pins > 0);
    p->pins--;
    unlock(&pool.lock);
}

enum page_state page_state_of(pa_t at)
{
    uint64_t number = at.v >> PAGE_SHIFT;

    return number < pool.count ? (enum page_state)load_once(&pool.table[number].state) : PAGE_NONE;
}

uint16_t page_owner_of(pa_t at)
{
    uint64_t number = at.v >> PAGE_SHIFT;

    return number < pool.count ? load_once(&pool.table[number].owner) : 0;
}

uint64_t page_count_free(void)
{
    return load_once(&pool.free);
}

uint64_t page_count_total(void)
{
    return pool.total;
}

static bool overlaps(const struct boot_range *r, uint64_t base, uint64_t len)
{
    return r->len != 0 && base < r->base + r->len && r->base < base + len;
}

/* [at, end) begins with memory that is taken, or with free memory: so far it goes. */
static uint64_t run_end(uint64_t at, uint64_t end, const struct boot_range *table, bool *taken)
{
    const struct boot_range first = {0, PAGE_SIZE};
    const struct boot_range *const all[] = {&boot_info.image, &boot_info.bundle, &boot_info.low,
                                            table, &first};

    *taken = false;
    for (unsigned int i = 0; i < ARRAY_SIZE(all) && !*taken; i++) {
        uint64_t base = ALIGN_DOWN(all[i]->base, PAGE_SIZE);

        if (overlaps(all[i], at, PAGE_SIZE)) {
            *taken = true;
            end = MIN(end, ALIGN_UP(all[i]->base + all[i]->len, PAGE_SIZE));
        } else if (all[i]->len != 0 && base > at) {
            end = MIN(end, base);
        }
    }
    return end;
}

/* The table itself: the first hole of RAM that holds it. */
static struct boot_range place_table(uint64_t bytes)
{
    const struct boot_range none = {0, 0};
    bool taken;

    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];
        uint64_t base = ALIGN_UP(r->base, PAGE_SIZE);

        while (base + bytes <= MIN(r->base + r->len, GiB(4))) {
            uint64_t end = run_end(base, base + bytes, &none, &taken);

            if (!taken && end == base + bytes) {
                return (struct boot_range){base, bytes};
            }
            base += SIZE_2M - base % SIZE_2M;
        }
    }
    panic("no room for the page table of %lu KiB", (unsigned long)(bytes >> 10));
}

/* Frees a range in the biggest naturally aligned blocks. */
static void release_range(uint64_t base, uint64_t end)
{
    uint64_t number = base >> PAGE_SHIFT;
    uint64_t last = end >> PAGE_SHIFT;

    while (number < last) {
        unsigned int order = PAGE_ORDER_MAX;

        while (!IS_ALIGNED(number, BIT(order)) || number + BIT(order) > last) {
            order--;
        }
        release(number, order);
        number += BIT(order);
    }
}

/* The part of a range in [from, to), less what is taken. */
static void release_part(const struct boot_range *r, uint64_t from, uint64_t to)
{
    uint64_t end = MIN(r->base + r->len, to), next;
    bool taken;

    for (uint64_t at = MAX(r->base, from); at < end; at = next) {
        next = run_end(at, end, &table_range, &taken);
        if (!taken) {
            release_range(at, next);
        }
        for (uint64_t i = at; taken && i < next; i += PAGE_SIZE) {
            page_at(i >> PAGE_SHIFT)->state = PAGE_IMAGE;
        }
    }
}

static void release_between(uint64_t from, uint64_t to)
{
    lock(&pool.lock);
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        release_part(&boot_info.ram[i], from, to);
    }
    unlock(&pool.lock);
}

void page_init(void)
{
    const struct boot_range *top;

    REQUIRE(boot_info.ram_count > 0);
    top = &boot_info.ram[boot_info.ram_count - 1];
    pool.count = (top->base + top->len) >> PAGE_SHIFT;
    table_range = place_table(ALIGN_UP(pool.count * sizeof(struct page), PAGE_SIZE));
    pool.table = pa_to_hva(pa(table_range.base));
    memset(pool.table, 0, table_range.len);
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        pool.total += boot_info.ram[i].len >> PAGE_SHIFT;
    }
    release_between(0, GiB(4));
}

void page_init_high(void)
{
    release_between(GiB(4), UINT64_MAX);
}
