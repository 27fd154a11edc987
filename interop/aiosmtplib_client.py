"""Delivers one message with aiosmtplib, for the interop tests.

usage: aiosmtplib_client.py PORT plain|starttls|tls CA AUTH USER PASSWORD FROM FILE TO…

AUTH is `-`, or that mechanism and no other. Exits 0 if every recipient was accepted; anything else is a traceback.
"""

import asyncio
import ssl
import sys

import aiosmtplib


async def main(port, security, ca, mechanism, user, password, sender, file, *recipients):
    with open(file, "rb") as opened:
        message = opened.read()
    client = aiosmtplib.SMTP(
        hostname="localhost",
        port=int(port),
        use_tls=security == "tls",
        start_tls=security == "starttls",
        tls_context=ssl.create_default_context(cafile=ca),
        timeout=20,
    )
    async with client:
        await client.ehlo()
        if mechanism != "-":
            await getattr(client, "auth_" + mechanism.lower().replace("-", ""))(user, password)
        options = ["BODY=8BITMIME"] if any(octet > 127 for octet in message) else []
        utf8 = not all(recipient.isascii() for recipient in recipients)
        if utf8:
            options.append("SMTPUTF8")
        encoding = "utf-8" if utf8 else "ascii"
        await client.mail(sender, options=options, encoding=encoding)
        for recipient in recipients:
            await client.rcpt(recipient, encoding=encoding)
        await client.data(message)


asyncio.run(main(*sys.argv[1:]))
