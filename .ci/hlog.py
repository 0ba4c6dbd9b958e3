"""Holds what `querylab drive` says against its `.hlog`, read by Python's HdrHistogram, and against its raw samples.

    hlog.py serve PORT_FILE            answers requests on a free port of 127.0.0.1 until it is killed
    hlog.py check JSON HLOG SAMPLES    exits with 1 where they disagree
    hlog.py trials RUN                 every log of a run's folder against what its trial says
"""

import asyncio
import csv
import json
import math
import pathlib
import random
import sys


async def answer(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(random.expovariate(1 / 0.003))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port_file):
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with open(port_file, "w") as out:
        out.write(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


def histograms(path):
    """Tag to histogram, by another implementation than the one that wrote them."""
    from hdrh.histogram import HdrHistogram

    found = {}
    with open(path) as log:
        for line in log:
            if not line.startswith("Tag="):
                continue
            tag, _start, _length, _max, encoded = line.strip().split(",")
            found[tag.removeprefix("Tag=")] = HdrHistogram.decode(encoded)
    return found


def trials(run):
    """Counts, and medians where no request failed: a failure counts as infinitely slow, and is in no log."""
    logs = sorted(pathlib.Path(run, "trials").glob("*.hlog"))
    wrong = [] if logs else ["there is no log"]
    for log in logs:
        window = json.loads(log.with_suffix(".json").read_text())["window"]
        read = histograms(log)
        if set(read) != {"response", "service", "first_byte", "lag"}:
            wrong.append(f"{log.name}: {sorted(read)}")
            continue
        if read["response"].get_total_count() != window["answered"]:
            wrong.append(f"{log.name}: {read['response'].get_total_count()} responses, {window['answered']} answers")
        said = window["response_time"]["p50_us"]
        if window["due"] == window["answered"] and said is not None:
            median = read["response"].get_value_at_percentile(50) / 1000
            if abs(median - said) > 0.002 * said:
                wrong.append(f"{log.name}: median {median} us, {said} us in the trial")
    print(f"{len(logs)} logs")
    if wrong:
        sys.exit("\n".join(wrong))


def check(told, hlog, samples):
    with open(told) as file:
        told = json.load(file)
    read = histograms(hlog)
    with open(samples, newline="") as file:
        rows = list(csv.DictReader(file))
    right = [row for row in rows if row["outcome"] == "ok"]
    failed = sum(told["failed"].values())
    wrong = []

    def same(what, a, b, within=0.0):
        fits = a == b if within == 0 else abs(a - b) <= within * abs(b)
        print(f"{'ok' if fits else 'WRONG':5} {what}: {a} and {b}")
        if not fits:
            wrong.append(what)

    same("due, samples and drive", len(rows), told["due"])
    same("answered, samples and drive", len(right), told["answered"])
    if told["answered"] < 4000:
        wrong.append(f"only {told['answered']} answers")
    for name, begin in (("response", "due_ns"), ("service", "sent_ns")):
        times = sorted(int(row["done_ns"]) - int(row[begin]) for row in right)
        same(f"{name}, count in the log", read[name].get_total_count(), told["answered"])
        if failed:
            continue
        for percent in (50, 99):
            exact = times[math.ceil(len(times) * percent / 100) - 1]
            said = told[f"{name}_time_us"][f"p{percent}"] * 1000
            same(f"{name} p{percent}, drive and samples", said, exact, 0.001)
            same(f"{name} p{percent}, log and samples", read[name].get_value_at_percentile(percent), exact, 0.001)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2]))
    elif sys.argv[1:2] == ["trials"]:
        trials(sys.argv[2])
    else:
        check(*sys.argv[2:])
