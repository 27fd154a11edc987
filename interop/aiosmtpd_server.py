"""An SMTP server of aiosmtpd's for the interop tests: what it was sent, it saves as it came.

usage: aiosmtpd_server.py CERT KEY DIR SIZE

Prints `listening 127.0.0.1:PORT plain` (STARTTLS is offered there) and `listening 127.0.0.1:PORT tls`, then serves until
it is killed. Message N becomes DIR/N.eml: a Received: field that says by what protocol it came, then the octets between
DATA and the final dot, unstuffed.

Logs in alice with the password `secret`, under TLS only. Recipients `nobody@…` are refused with 550, `later@…` with 451 and
`busy@…` with 421, after which the connection is closed.
"""

import asyncio
import itertools
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

REFUSED = {
    "nobody": "550 5.1.1 No such user",
    "later": "451 4.3.0 Try again later",
    "busy": "421 4.3.2 Too busy",
}


class Saving:
    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if refusal := REFUSED.get(address.partition("@")[0]):
            if refusal.startswith("421"):
                asyncio.get_running_loop().call_soon(server.transport.close)
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        path = os.path.join(self.folder, str(next(self.numbers)))
        # session.ssl is set by STARTTLS only, and the transport's own after implicit TLS only.
        tls = session.ssl or server.transport.get_extra_info("ssl_object")
        protocol = "ESMTP" + ("S" if tls else "") + ("A" if session.authenticated else "")
        with open(path + ".part", "wb") as file:
            file.write(b"Received: by aiosmtpd.example.test with %s\r\n" % protocol.encode())
            file.write(envelope.original_content)
        os.rename(path + ".part", path + ".eml")
        return "250 2.0.0 Saved"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"alice", b"secret")
    # handled=False leaves the 535 to aiosmtpd.
    return AuthResult(success=good, handled=False)


async def main(certificate, key, folder, size):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = Saving(folder)
    common = {
        "hostname": "aiosmtpd.example.test",
        "enable_SMTPUTF8": True,
        "authenticator": authenticate,
        "data_size_limit": int(size),
    }

    def plain():
        return SMTP(handler, tls_context=context, **common)

    def implicit():
        # aiosmtpd takes only its own STARTTLS for TLS when it decides whether AUTH may be offered.
        return SMTP(handler, auth_require_tls=False, **common)

    loop = asyncio.get_running_loop()
    for make, tls, name in ((plain, None, "plain"), (implicit, context, "tls")):
        server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
        print("listening 127.0.0.1:%d %s" % (server.sockets[0].getsockname()[1], name), flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
