# Shared by the set-up scripts: messages, root rights, and a private apt that reads suites which
# the machine itself does not have configured. Source it; $cache must be an absolute path.

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Runs a command as root, directly or by sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "needs root for: $*"
    fi
}

# The code name of this Debian; only 12 and 13 are known to work.
debian_suite() {
    [ -r /etc/os-release ] || die "/etc/os-release is missing: this needs Debian 12 or 13"
    suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    case $suite in
        bookworm | trixie) printf '%s\n' "$suite" ;;
        *) die "this needs Debian 12 (bookworm) or 13 (trixie), found '${suite:-unknown}'" ;;
    esac
}

archive_targets() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
        "Codename: $1" 2>/dev/null | sort -u | head -n 1
}

# Where this machine gets Debian from, by apt's own word.
archive_uri() {
    uri=$(archive_targets "$1")
    if [ -z "$uri" ]; then
        say "reading apt's package lists"
        as_root apt-get update -qq >&2 || die "apt-get update failed"
        uri=$(archive_targets "$1")
    fi
    [ -n "$uri" ] || die "apt has no Debian archive for $1 configured"
    printf '%s\n' "$uri"
}

# install_packages LOG PACKAGE...: installs them; what apt says goes to LOG.
install_packages() {
    log=$1
    shift
    say "installing $# packages"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null && return
    tail -n 20 "$log" >&2
    die "apt-get could not install them; all it said is in $log"
}

# private_apt NAME SUITE...: makes a private apt root that reads only these suites, for packages of
# $apt_architecture (amd64). Sets $apt_options for apt-get and apt-cache. Fails when a suite cannot
# be read.
private_apt() {
    root=$cache/apt/$1
    shift
    mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/none"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    trust=
    [ -r $keyring ] && trust="[signed-by=$keyring] "
    uri=$(archive_uri "$(debian_suite)") || exit 1
    for suite in "$@"; do
        printf 'deb %s%s %s main\n' "$trust" "$uri" "$suite"
    done >"$root/sources.list"
    apt_options="-qq -o Dir::State=$root/state -o Dir::State::status=/var/lib/dpkg/status
        -o Dir::Cache=$root/cache -o Dir::Etc::sourcelist=$root/sources.list
        -o Dir::Etc::sourceparts=$root/none -o Dir::Etc::preferences=/dev/null
        -o Dir::Etc::preferencesparts=$root/none
        -o APT::Architecture=${apt_architecture:-amd64}
        -o Acquire::Languages=none -o Acquire::Retries=3
        -o Debug::NoLocking=true -o APT::Sandbox::User=$(id -un)"
    apt-get $apt_options update >"$root/log" 2>&1 && ! grep -q '^[WE]:' "$root/log"
}

# kernel_suites VERSION: where Debian has that kernel, the likeliest first.
kernel_suites() {
    case $1 in
        6.1) echo bookworm ;;
        6.18) echo trixie-backports ;;
        6.12)
            if [ "$(debian_suite)" = trixie ]; then
                echo trixie bookworm-backports
            else
                echo bookworm-backports trixie
            fi
            ;;
        *) die "no Debian suite with a cloud kernel $1 is known; there are 6.1, 6.12 and 6.18" ;;
    esac
}
