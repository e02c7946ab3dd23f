"""A server that refuses some readers: refusing.py PORT ONE_IN.

Every ONE_IN-th reader (by the number in the address; 0: none) is unknown to it,
550 5.1.1 at RCPT. All other mail is taken and forgotten. smtp-sink can refuse
everybody or nobody only.
"""

import asyncio
import contextlib
import re
import sys

NUMBER = re.compile(rb"reader(\d+)@")


async def main(port, one_in):
    async def serve(reader, writer):
        has_reader = False
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 refusing ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-refusing\r\n250-ENHANCEDSTATUSCODES\r\n250 PIPELINING\r\n")
                elif verb == b"RCPT":
                    number = int(NUMBER.search(line)[1])
                    has_reader = not one_in or number % one_in != 0
                    writer.write(b"250 2.1.5 ok\r\n" if has_reader else b"550 5.1.1 unknown user\r\n")
                elif verb == b"DATA" and not has_reader:
                    writer.write(b"503 5.5.1 no reader\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 2.0.0 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 2.0.0 bye\r\n")
                    break
                else:
                    writer.write(b"250 2.0.0 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
