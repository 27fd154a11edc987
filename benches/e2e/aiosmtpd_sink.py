"""aiosmtpd as a server that takes every message and throws it away. usage: aiosmtpd_sink.py PORT"""

import asyncio
import sys

from aiosmtpd.smtp import SMTP


class Sink:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"


async def serve(port):
    def connection():
        return SMTP(Sink(), hostname="mx.example.org", ident="ESMTP", data_size_limit=2**31)

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1])))
