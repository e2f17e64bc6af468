"""Memory for the machines that are measured: at hand before the clock starts.

A virtual machine gives its free pages back to its host (virtio-balloon, free page reporting), and
touching one again was seen to take 20 times as long as clearing it: a boot that touches 400 MiB
pays up to a second for what the test machine's host does. Huge pages that are reserved stay here.
They take root; without it the figures stand, with that noise in them.
"""
import contextlib
import mmap
import signal

POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
PAGE_MIB = 2
SPARE_MIB = 1024 # stays for QEMU itself, and for what else the machine does
MAP_POPULATE, MAP_HUGETLB, MAP_HUGE_2MB = 0x8000, 0x40000, 21 << 26
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
reserved_mib = 0


def _count(name):
    with open(POOL + name, encoding="ascii") as f:
        return int(f.read())


def _grow(pages):
    """By how many the pool has grown, which may be fewer. Nothing comes between doing and knowing:
    memory that is forgotten here is gone until the next boot."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        before = _count("nr_hugepages")
        with open(POOL + "nr_hugepages", "w", encoding="ascii") as f:
            f.write(str(max(0, before + pages)))
        return _count("nr_hugepages") - before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _available_mib():
    with open("/proc/meminfo", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("MemAvailable")) >> 10


def _missing(mib):
    """Pages that the pool lacks: what is in it and nobody's is taken first."""
    return max(0, mib // PAGE_MIB - _count("free_hugepages") + _count("resv_hugepages"))


def _touch(mib):
    mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_POPULATE |
              MAP_HUGETLB | MAP_HUGE_2MB).close()


@contextlib.contextmanager
def _grown(mib):
    """A pool with that much in it, touched, which shrinks again in the end."""
    missing, grown = _missing(mib), 0
    if missing > 0 and _available_mib() < missing * PAGE_MIB + SPARE_MIB:
        raise MemoryError(f"{mib} MiB and {SPARE_MIB} MiB to spare are not free")
    try:
        if missing > 0:
            grown = _grow(missing)
        if grown < missing:
            raise MemoryError(f"no {mib} MiB in huge pages")
        _touch(mib)
        yield
    finally:
        if grown > 0:
            _grow(-grown)


@contextlib.contextmanager
def at_hand(mib):
    """For machines of at most that much; they run one after the other."""
    global reserved_mib
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_grown(mib))
            reserved_mib = mib
        except (OSError, MemoryError) as e:
            print(f"        memory is not reserved ({e}): what the host takes to supply it is "
                  "counted", flush=True)
        try:
            yield
        finally:
            reserved_mib = 0


def qemu_words(mib):
    """QEMU's arguments for a machine of that much memory (even), if it is at hand."""
    if mib > reserved_mib:
        return []
    return ["-object", f"memory-backend-memfd,id=ram,size={mib}M,hugetlb=on,hugetlbsize=2M",
            "-machine", "memory-backend=ram"]
