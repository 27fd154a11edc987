#!/bin/sh
# Runs OpenSMTPD out of its unpacked package, for the interop tests. It has its programs, its queue and its socket at fixed places,
# which here are its own: nothing of the machine's is touched, and two may run at a time.
# usage: unshare --mount interop/opensmtpd.sh ROOT CONFIGURATION     as root; ROOT is where the package was unpacked
set -eu

mkdir -p /usr/libexec
for place in /usr/libexec /var/lib /var/spool /run; do
    mount -t tmpfs -o mode=755 tmpfs $place
done
# Copied: who it becomes to store a message need not reach where it was unpacked.
cp -r "$1/usr/libexec/opensmtpd" /usr/libexec
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
for folder in corrupt incoming purge queue temporary; do
    install -d -m 700 -o opensmtpq /var/spool/smtpd/$folder
done
install -d -m 770 -g opensmtpq /var/spool/smtpd/offline
exec "$1/usr/sbin/smtpd" -d -f "$2"
