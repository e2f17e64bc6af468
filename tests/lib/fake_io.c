/* A fake VM's ports, pages, interrupts and streams. */
#include <string.h>

#include "fake_priv.h"
#include "hv/check.h"

void vm_dev_lock(struct vm *vm)
{
    CHECK(vm->lock_depth == 0);
    vm->lock_depth++;
}

void vm_dev_unlock(struct vm *vm)
{
    CHECK(vm->lock_depth == 1);
    vm->lock_depth--;
}

enum abi_status vm_io_add(struct vm *vm, enum io_space space, uint64_t base, uint32_t len,
                          const struct io_ops *ops, void *dev)
{
    if (len == 0 || base + len < base || (space == IO_PORT && base + len > 65536)) {
        return ABI_BAD_ARG;
    }
    for (unsigned int i = 0; i < vm->regions; i++) {
        const struct region *r = &vm->region[i];

        if (r->space == space && base < r->base + r->len && r->base < base + len) {
            return ABI_EXISTS;
        }
    }
    if (vm->regions == REGIONS) {
        return ABI_LIMIT;
    }
    vm->region[vm->regions++] = (struct region){space, base, len, ops, dev};
    return ABI_OK;
}

void vm_io_remove(struct vm *vm, enum io_space space, const struct io_ops *ops, void *dev)
{
    for (unsigned int i = 0; i < vm->regions; i++) {
        struct region *r = &vm->region[i];

        if (r->space == space && r->ops == ops && r->dev == dev) {
            *r = vm->region[--vm->regions];
            return;
        }
    }
}

static struct region *find_in(struct vm *vm, enum io_space space, uint64_t at, unsigned int size)
{
    for (unsigned int i = 0; i < vm->regions; i++) {
        struct region *r = &vm->region[i];

        if (r->space == space && at >= r->base && at + size <= r->base + r->len) {
            return r;
        }
    }
    return NULL;
}

static struct region *find(struct vm *vm, uint16_t port, unsigned int size)
{
    return find_in(vm, IO_PORT, port, size);
}

bool fake_mmio_in(struct vm *vm, uint64_t at, unsigned int size, uint32_t *value)
{
    struct region *r = find_in(vm, IO_MMIO, at, size);

    vm_dev_lock(vm);
    if (r != NULL) {
        *value = r->ops->read(r->dev, (uint32_t)(at - r->base), size);
        CHECK(size == 4 || *value < 1u << 8 * size);
    }
    vm_dev_unlock(vm);
    return r != NULL;
}

bool fake_mmio_out(struct vm *vm, uint64_t at, unsigned int size, uint32_t value)
{
    struct region *r = find_in(vm, IO_MMIO, at, size);

    vm_dev_lock(vm);
    if (r != NULL) {
        r->ops->write(r->dev, (uint32_t)(at - r->base), size, value);
    }
    vm_dev_unlock(vm);
    return r != NULL;
}

void vm_irq(struct vm *vm, unsigned int line, bool high)
{
    CHECK(line < 64);
    vm->rises += high && (vm->lines >> line & 1) == 0;
    vm->lines = high ? vm->lines | BIT(line) : vm->lines & ~BIT(line);
}

bool fake_line(struct vm *vm, unsigned int line)
{
    return (vm->lines >> line & 1) != 0;
}

unsigned int fake_rises(struct vm *vm)
{
    return vm->rises;
}

uint32_t fake_in(struct vm *vm, uint16_t port, unsigned int size)
{
    uint32_t ones = size == 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
    struct region *r = find(vm, port, size);
    uint32_t v = ones;

    vm->accesses++;
    vm_dev_lock(vm);
    if (r != NULL) {
        v = r->ops->read(r->dev, (uint32_t)(port - r->base), size);
        CHECK((v & ~ones) == 0);
    }
    vm_dev_unlock(vm);
    return v;
}

void fake_out(struct vm *vm, uint16_t port, unsigned int size, uint32_t value)
{
    struct region *r = find(vm, port, size);

    vm->accesses++;
    vm_dev_lock(vm);
    if (r != NULL) {
        r->ops->write(r->dev, (uint32_t)(port - r->base), size,
                      size == 4 ? value : value & ((1u << (8 * size)) - 1));
    }
    vm_dev_unlock(vm);
}

unsigned long fake_port_accesses(struct vm *vm)
{
    return vm->accesses;
}

void vm_msi(struct vm *vm, uint64_t address, uint32_t data)
{
    vm->msis++;
    vm->msi_address = address;
    vm->msi_data = data;
}

unsigned int fake_msis(struct vm *vm)
{
    return vm->msis;
}

uint64_t fake_msi_address(struct vm *vm)
{
    return vm->msi_address;
}

uint32_t fake_msi_data(struct vm *vm)
{
    return vm->msi_data;
}

enum abi_status vm_map_page(struct vm *vm, gpa_t at, void *page)
{
    REQUIRE(IS_ALIGNED(at.v, PAGE_SIZE) && page != NULL);
    if (at.v < vm->memory || fake_mapped(vm, at.v) != NULL) {
        return ABI_EXISTS;
    }
    for (unsigned int i = 0; i < PAGES; i++) {
        if (vm->mapped[i].page == NULL) {
            vm->mapped[i].at = at.v;
            vm->mapped[i].page = page;
            return ABI_OK;
        }
    }
    return ABI_LIMIT;
}

void vm_unmap_page(struct vm *vm, gpa_t at)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        if (vm->mapped[i].page != NULL && vm->mapped[i].at == at.v) {
            vm->mapped[i].page = NULL;
        }
    }
}

void *fake_mapped(struct vm *vm, uint64_t at)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        if (vm->mapped[i].page != NULL && vm->mapped[i].at == at) {
            return vm->mapped[i].page;
        }
    }
    return NULL;
}

void vm_hook_add(struct vm *vm, struct vm_hook *hook)
{
    hook->next = vm->hooks;
    vm->hooks = hook;
}

void vm_serve_soon(struct vm *vm)
{
    __atomic_store_n(&vm->serve_asked, true, __ATOMIC_RELEASE);
}

bool fake_serve_asked(struct vm *vm)
{
    return __atomic_load_n(&vm->serve_asked, __ATOMIC_ACQUIRE);
}

void fake_tick(struct vm *vm)
{
    vm_dev_lock(vm);
    for (struct vm_hook *h = vm->hooks; h != NULL; h = h->next) {
        if (h->poll != NULL) {
            h->poll(h);
        }
    }
    vm_dev_unlock(vm);
}

void fake_poll(struct vm *vm)
{
    __atomic_store_n(&vm->serve_asked, false, __ATOMIC_RELEASE);
    vm_dev_lock(vm);
    for (struct vm_hook *h = vm->hooks; h != NULL; h = h->next) {
        if (h->serve != NULL) {
            h->serve(h);
        }
    }
    vm_dev_unlock(vm);
    fake_tick(vm);
}

void vm_end(struct vm *vm, enum vm_cause cause, const char *fmt, ...)
{
    (void)fmt;
    if (!vm->ended) {
        vm->ended = true;
        vm->cause = cause;
    }
}

bool fake_ended(struct vm *vm, enum vm_cause *cause)
{
    if (vm->ended) {
        *cause = vm->cause;
    }
    return vm->ended;
}

/* ---- streams ---- */

bool stream_exists(const struct vm *vm, enum stream_id id)
{
    return id != STREAM_CONTROL || vm->control;
}

size_t stream_room(const struct vm *vm, enum stream_id id)
{
    return id == STREAM_CONTROL ? vm->room : SIZE_MAX;
}

void stream_write(struct vm *vm, enum stream_id id, const void *buf, size_t len)
{
    struct fake_stream *s = &vm->stream[id];
    size_t n = MIN(len, OUTPUT_MAX - s->output_len);

    CHECK(vm->lock_depth == 1);
    CHECK(len <= stream_room(vm, id));
    vm->room -= id == STREAM_CONTROL ? len : 0;
    memcpy(s->output + s->output_len, buf, n);
    s->output_len += n;
    s->output_total += len;
}

void stream_attach(struct vm *vm, enum stream_id id, const struct stream_ops *ops, void *dev)
{
    vm->stream[id].ops = ops;
    vm->stream[id].dev = dev;
}

void stream_open(struct vm *vm, enum stream_id id, bool open)
{
    vm->stream[id].open = open;
}

/* As the core does it: at once, in the middle of whatever the device model does. */
void stream_ready(struct vm *vm, enum stream_id id)
{
    struct fake_stream *s = &vm->stream[id];
    size_t n;

    if (s->input_len == 0 || s->ops == NULL || s->delivering) {
        return;
    }
    s->delivering = true;
    n = s->ops->input(s->dev, s->input, s->input_len);
    s->delivering = false;
    CHECK(n <= s->input_len);
    s->input_len -= n;
    memmove(s->input, s->input + n, s->input_len);
}

void fake_control(struct vm *vm, size_t room)
{
    const struct fake_stream *s = &vm->stream[STREAM_CONTROL];

    vm->control = true;
    vm->room = room;
    if (s->ops != NULL) {
        vm_dev_lock(vm);
        s->ops->room(s->dev);
        vm_dev_unlock(vm);
    }
}

bool fake_stream_open(struct vm *vm, enum stream_id id)
{
    return vm->stream[id].open;
}

const char *fake_output(struct vm *vm, enum stream_id id, size_t *len)
{
    *len = vm->stream[id].output_len;
    return vm->stream[id].output;
}

size_t fake_output_total(struct vm *vm, enum stream_id id)
{
    return vm->stream[id].output_total;
}

void fake_output_clear(struct vm *vm, enum stream_id id)
{
    vm->stream[id].output_len = 0;
    vm->stream[id].output_total = 0;
}

size_t fake_input(struct vm *vm, enum stream_id id, const void *buf, size_t len)
{
    struct fake_stream *s = &vm->stream[id];
    size_t n = MIN(len, INPUT_MAX - s->input_len);

    memcpy(s->input + s->input_len, buf, n);
    s->input_len += n;
    vm_dev_lock(vm);
    stream_ready(vm, id);
    vm_dev_unlock(vm);
    return s->input_len;
}

size_t fake_input_waiting(struct vm *vm, enum stream_id id)
{
    return vm->stream[id].input_len;
}
