"""aiosmtplib over several sessions: pool.py PORT MESSAGES SESSIONS BYTES."""

import asyncio
import sys
from email.message import EmailMessage

import aiosmtplib

PORT, MESSAGES, SESSIONS, BYTES = (int(argument) for argument in sys.argv[1:])
SENTENCE = "Water the young trees at dusk, and let the old ones look after themselves. "
TEXT = SENTENCE * (BYTES // 2 // len(SENTENCE))


def message(number):
    mail = EmailMessage()
    mail["From"] = "The Garden Table <news@garden.example.org>"
    mail["To"] = f"Nomsa <reader{number}@example.org>"
    mail["Subject"] = "After the first rain"
    mail.set_content(TEXT, cte="quoted-printable")
    mail.add_alternative(f"<p>{TEXT}</p>", subtype="html", cte="quoted-printable")
    return mail


async def worker(numbers):
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=PORT, start_tls=False) as session:
        for number in numbers:
            await session.send_message(message(number))


async def main():
    numbers = iter(range(MESSAGES))
    await asyncio.gather(*(worker(numbers) for _ in range(SESSIONS)))


asyncio.run(main())
