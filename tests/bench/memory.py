"""Memory for the machines that are measured: at hand before the clock starts.

A virtual machine gives its free pages back to its host (virtio-balloon, free page reporting), and
touching one again was seen to take 20 times as long as clearing it: a boot that touches 400 MiB
pays up to a second for what the test machine's host does. Huge pages that are reserved stay here.
They take root; without it the figures stand, with that noise in them.
"""
import contextlib
import mmap

POOL = "/proc/sys/vm/nr_hugepages"
MAP_POPULATE, MAP_HUGETLB = 0x8000, 0x40000
reserved_mib = 0


def _pages(count=None):
    if count is not None:
        with open(POOL, "w", encoding="ascii") as f:
            f.write(str(count))
    with open(POOL, encoding="ascii") as f:
        return int(f.read())


def _touch(mib):
    mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_POPULATE |
              MAP_HUGETLB).close()


@contextlib.contextmanager
def at_hand(mib):
    """For machines of at most that much; they run one after the other."""
    global reserved_mib
    before = None
    try:
        before = _pages()
        if _pages(before + mib // 2) < before + mib // 2:
            raise MemoryError(f"no {mib} MiB in huge pages")
        _touch(mib)
        reserved_mib = mib
    except (OSError, MemoryError) as e:
        print(f"        memory is not reserved ({e}): what the host takes to supply it is counted")
    try:
        yield
    finally:
        reserved_mib = 0
        with contextlib.suppress(OSError):
            if before is not None:
                _pages(before)


def qemu_words(mib):
    """QEMU's arguments for a machine of that much memory (even), if it is at hand."""
    if mib > reserved_mib:
        return []
    return ["-object", f"memory-backend-memfd,id=ram,size={mib}M,hugetlb=on,hugetlbsize=2M",
            "-machine", "memory-backend=ram"]
