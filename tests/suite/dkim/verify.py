"""Checks every DKIM signature of the files named on standard input.

Usage: verify.py RECORDS < FILES      (dkimpy, PyPI)

RECORDS is what `letterpress dkim record --format json` printed and stands in
for the DNS. Prints one JSON document: per file, one verdict per signature.
"""

import json
import sys

import dkim

with open(sys.argv[1], encoding="utf-8") as file:
    RECORDS = {record["name"] + ".": record["value"] for record in json.load(file)}


def look_up(name, timeout=5):
    name = name.decode("ascii") if isinstance(name, bytes) else name
    return RECORDS[name].encode("ascii")


def verdict(message, index):
    try:
        verifier = dkim.DKIM(message)
        return "pass" if verifier.verify(idx=index, dnsfunc=look_up) else "fail"
    except dkim.DKIMException as error:
        return f"fail: {error}"


def verdicts(path):
    with open(path, "rb") as file:
        message = file.read()
    head = message.split(b"\n\n")[0].split(b"\r\n\r\n")[0]
    count = sum(
        line.lower().startswith(b"dkim-signature:") for line in head.splitlines()
    )
    return [verdict(message, index) for index in range(count)]


json.dump({path: verdicts(path) for path in sys.stdin.read().splitlines()}, sys.stdout)
