#!/usr/bin/env bash
# Installs the SMTP software that the interop tests talk to, into DEST and from Debian's and PyPI's packages.
# usage: interop/install.sh DEST     as root; may be run again, and then does only what is missing
# With APT_UPDATED set, the lists of packages are taken to be fresh.
#
# Nothing is started and no mail system is installed: servers are unpacked below DEST/roots, so that no maintainer script
# runs, no service comes up and no two of them conflict. What a test needs of them is told to it by SMTP_INTEROP=DEST.
#
# A new peer is one line: a server to ROOTS, a client to TOOLS, a Python package to WHEELS.
set -euo pipefail

ROOTS=(postfix)
# What the unpacked servers are linked against, and the clients with the modules that they load only when asked to
# (Perl's for TLS and AUTH in swaks).
TOOLS=(libdb5.3 libicu72 libnsl2 libsasl2-2 swaks libnet-ssleay-perl libauthen-sasl-perl libdigest-hmac-perl curl openssl
       python3 python3-venv)
WHEELS=('aiosmtpd==1.4.6')

dest=$(realpath -m "${1:?usage: interop/install.sh DEST}")
mkdir -p "$dest/debs" "$dest/roots"
export DEBIAN_FRONTEND=noninteractive

missing() { dpkg-query -W -f='${Status}\n' "$@" 2>&1 | grep -qv '^install ok installed$'; }
unpacked() { local name; for name in "${ROOTS[@]}"; do [ -e "$dest/roots/$name/usr" ] || return 1; done; }

if missing "${TOOLS[@]}" || ! unpacked; then
    [ -n "${APT_UPDATED-}" ] || apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${TOOLS[@]}" >/dev/null
fi

for name in "${ROOTS[@]}"; do
    [ -e "$dest/roots/$name/usr" ] && continue
    # apt drops its privileges for a download and then warns where it may not write: the warning is of no use here.
    (cd "$dest/debs" && rm -f "$name"_*.deb && apt-get download -qq "$name" 2>/dev/null)
    rm -rf "$dest/roots/$name.part"
    dpkg-deb -x "$dest/debs/$name"_*.deb "$dest/roots/$name.part"
    mv "$dest/roots/$name.part" "$dest/roots/$name"
done

# Debian's own Python, whatever else is first in PATH: its venv module is the one that was installed above.
[ -x "$dest/venv/bin/python" ] || /usr/bin/python3 -m venv "$dest/venv"
"$dest/venv/bin/pip" install -q --disable-pip-version-check "${WHEELS[@]}"

echo "interop peers are in $dest"
