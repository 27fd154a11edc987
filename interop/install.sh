#!/usr/bin/env bash
# Installs the SMTP software that the interop tests talk to, into DEST and from Debian's, PyPI's and npm's packages.
# usage: interop/install.sh DEST     as root; may be run again, and then does only what is missing
# With APT_UPDATED set, the lists of packages are taken to be fresh.
#
# Nothing is started. Servers that conflict with each other are unpacked below DEST/roots, so that no maintainer script
# runs. What a test needs of them is told to it by SMTP_INTEROP=DEST.
#
# A new peer is one line: a server to ROOTS, a client to TOOLS, a Python package to WHEELS, one of Node's to MODULES.
set -euo pipefail

# Each below DEST/roots under its first name, with those packages in it that only it needs.
ROOTS=(postfix exim4-daemon-light chasquid opensmtpd
       'postgrey libberkeleydb-perl libio-multiplex-perl libnet-server-perl libnetaddr-ip-perl')
# What the unpacked servers are linked against, and the clients with the modules that they load only when asked to
# (Perl's for TLS and AUTH in swaks and git send-email). Dovecot finds its own parts only where Debian puts them.
TOOLS=(libdb5.3 libicu72 libnsl2 libsasl2-2 libsasl2-modules libsasl2-modules-db sasl2-bin libgnutls-dane0 libidn12
       libidn2-0 libpcre2-8-0 libevent-2.1-7
       dovecot-core dovecot-lmtpd dovecot-submissiond
       swaks libnet-ssleay-perl libauthen-sasl-perl libdigest-hmac-perl libio-socket-ssl-perl msmtp git git-email libmailtools-perl curl
       nmap testssl.sh openssl python3 python3-venv)
WHEELS=('aiosmtpd==1.4.6' 'aiosmtplib==5.1.3')
MODULES=('smtp-server@3.21.6' 'nodemailer@10.6.0' 'Haraka@3.3.4')

dest=$(realpath -m "${1:?usage: interop/install.sh DEST}")
mkdir -p "$dest/debs" "$dest/roots" "$dest/npm"
# RUNLEVEL=1 keeps a package's service from being started by its installation.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
command -v npm >/dev/null || TOOLS+=(nodejs npm)

missing() { [ "$(dpkg-query -W -f='${Status}\n' "$@" 2>/dev/null | grep -c '^install ok installed$')" -ne $# ]; }
unpacked() { local root; for root in "${ROOTS[@]}"; do [ -e "$dest/roots/${root%% *}/usr" ] || return 1; done; }

if missing "${TOOLS[@]}" || ! unpacked; then
    [ -n "${APT_UPDATED-}" ] || apt-get update -qq
fi

from_debian() {
    ! missing "${TOOLS[@]}" || apt-get install -y -qq --no-install-recommends "${TOOLS[@]}" >/dev/null || return
    local root name packages
    for root in "${ROOTS[@]}"; do
        read -ra packages <<<"$root"
        root=$dest/roots/${packages[0]}
        [ ! -e "$root/usr" ] || continue
        rm -rf "$root.part"
        # apt drops its privileges for a download and then warns where it may not write: the warning is of no use here.
        (cd "$dest/debs" && rm -f ${packages[@]/%/_*.deb} && apt-get download -qq "${packages[@]}" 2>/dev/null) || return
        for name in "${packages[@]}"; do
            dpkg-deb -x "$dest/debs/$name"_*.deb "$root.part" || return
        done
        mv "$root.part" "$root" || return
    done
}

# Whom the servers become. Each refuses to run without.
accounts() {
    local name
    for name in postfix Debian-exim opensmtpd opensmtpq; do
        id "$name" >/dev/null 2>&1 || useradd -r -U -M -d / -s /usr/sbin/nologin "$name"
    done
    getent group postdrop >/dev/null || groupadd -r postdrop
}

# Debian's own Python, whatever else is first in PATH: its venv module is the one that was installed above.
from_pypi() {
    { [ -x "$dest/venv/bin/python" ] || /usr/bin/python3 -m venv "$dest/venv"; } &&
        "$dest/venv/bin/pip" install -q --disable-pip-version-check "${WHEELS[@]}"
}

from_npm() {
    local installed="$dest/npm/installed"
    [ "$(cat "$installed" 2>/dev/null)" = "${MODULES[*]}" ] && return
    npm install --prefix "$dest/npm" --silent --no-audit --no-fund --omit=optional --ignore-scripts "${MODULES[@]}" &&
        echo "${MODULES[*]}" >"$installed"
}

accounts

# Each has a network to wait for and none needs another's, where Python and Node are there already.
if command -v npm >/dev/null && /usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null; then
    from_npm & npm=$!
    from_pypi & pypi=$!
    from_debian
    wait "$npm"
    wait "$pypi"
else
    from_debian
    from_pypi
    from_npm
fi

# What it is, for whoever reads the matrix.
{
    for root in "${ROOTS[@]}"; do
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$dest/debs/${root%% *}"_*.deb
    done
    dpkg-query -W -f='${Package} ${Version}\n' dovecot-core swaks curl msmtp git-email nmap testssl.sh
    "$dest/venv/bin/python" -c 'import platform; print("python", platform.python_version())'
    echo "node $(node --version)"
    printf '%s\n' "${WHEELS[@]}" "${MODULES[@]}" | sed -E 's/==|@/ /'
} >"$dest/versions"

echo "interop peers are in $dest"
