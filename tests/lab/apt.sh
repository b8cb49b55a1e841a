# shellcheck shell=bash
# A private apt for the lab: no installed packages, own sources, own lists. Proxies, signatures and
# checksums are as apt is configured. Sourced by kernel and root, which set CACHE.
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# The sites apt is configured with, one "SITE SUITE" a line.
apt_sites() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(SITE) $(RELEASE)' 2>/dev/null || true
    # indextargets says nothing before the first "apt-get update".
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] || continue
        awk '/^[Uu][Rr][Ii]s:/ { uri = $2 }
             /^[Ss]uites:/ { for (i = 2; i <= NF; i++) print uri, $i }' "$file"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -e "$file" ] || continue
        sed -n 's/^deb *\(\[[^]]*\]\)\? *//p' "$file" | awk '{ print $1, $2 }'
    done
}

# The Debian mirror and its security twin, as MIRROR and SECURITY.
find_mirror() {
    local release='bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable'
    local sites
    sites=$(apt_sites | sed 's,/* , ,')
    MIRROR=$(awk -v r="^($release)(-updates)?$" '$2 ~ r { print $1; exit }' <<<"$sites")
    SECURITY=$(awk -v r="^($release)-security$" '$2 ~ r { print $1; exit }' <<<"$sites")
    [ -n "$MIRROR" ] || return 1
    SECURITY=${SECURITY:-$MIRROR-security}
}

# Sets APT, the options of the private apt NAME for ARCH. Standard input: the lines "SITE SUITE" to
# look in.
# apt_setup NAME ARCH
apt_setup() {
    local dir=$CACHE/apt/$1 arch=$2 site suite signed=""
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    [ -e "$KEYRING" ] && signed=" signed-by=$KEYRING"
    while read -r site suite; do
        echo "deb [arch=$arch$signed] $site $suite main"
    done >"$dir/sources.list"
    # shellcheck disable=SC2034
    APT=(-qq -o "Dir::Etc::sourcelist=$dir/sources.list"
        -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
        -o "Dir::State::lists=$dir/lists" -o Dir::State::status=/dev/null
        -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root
        -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch"
        -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
}
