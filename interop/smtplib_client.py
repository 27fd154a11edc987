"""Delivers one message with Python's smtplib, for the interop tests.

usage: smtplib_client.py PORT plain|starttls|tls|lmtp CA AUTH USER PASSWORD FROM FILE TO…

AUTH is `-`, or that mechanism and no other, since smtplib's own login() goes on to the next one when the first is refused.
Exits 0 if every recipient was accepted; anything else is a traceback.
"""

import smtplib
import ssl
import sys

port, security, ca, mechanism, user, password, sender, file, *recipients = sys.argv[1:]
with open(file, "rb") as opened:
    message = opened.read()

context = ssl.create_default_context(cafile=ca)
if security == "tls":
    client = smtplib.SMTP_SSL("localhost", int(port), context=context, timeout=20)
else:
    client = {"lmtp": smtplib.LMTP}.get(security, smtplib.SMTP)("localhost", int(port), timeout=20)
with client:
    if security == "starttls":
        client.starttls(context=context)
    client.ehlo()
    if mechanism != "-":
        offered = client.esmtp_features.get("auth", "").split()
        assert mechanism in offered, "%s is not in AUTH %s" % (mechanism, offered)
        client.user, client.password = user, password
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")))
    options = ["BODY=8BITMIME"] if any(octet > 127 for octet in message) else []
    if not all(recipient.isascii() for recipient in recipients):
        options.append("SMTPUTF8")
    refused = client.sendmail(sender, recipients, message, mail_options=options)
    assert not refused, refused
