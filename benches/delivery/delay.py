"""A proxy that lets every byte wait: delay.py OWN_PORT PORT ROUND_TRIP_MS.

Half of the round trip in each direction; bytes keep their order, and bandwidth
is not limited. It stands in for `tc netem` where there is none.
"""

import asyncio
import socket
import sys


async def one_way(reader, writer, seconds):
    waiting = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def deliver():
        while True:
            due, data = await waiting.get()
            if due > clock():
                await asyncio.sleep(due - clock())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    try:
        while data := await reader.read(1 << 16):
            waiting.put_nowait((clock() + seconds, data))
    except ConnectionError:
        pass
    waiting.put_nowait((clock() + seconds, b""))
    try:
        await delivering
    except ConnectionError:
        pass


async def main(own_port, port, milliseconds):
    async def serve(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for stream in (writer, far_writer):
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = milliseconds / 2000
        await asyncio.gather(
            one_way(reader, far_writer, seconds),
            one_way(far_reader, writer, seconds),
        )

    server = await asyncio.start_server(serve, "127.0.0.1", own_port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
