"""What the access log costs: the same requests with a row for each look and without, of two services on one Postgres."""
import json, statistics, tempfile

from load import wrk

NAME = "access-log"
GOAL = 0.15
SECONDS = 2  # of a turn: short ones, since the difference is small


def measure(options, service, questions):
    turns = max(4, options.rounds * options.seconds // SECONDS)
    print(f"\n{NAME}: {options.clients} clients, medians of {turns} turns of {SECONDS} s each; the goal is at most {GOAL:.0%}\n")
    print(f"{'request':36} {'with/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'without/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'cost':>7}")
    silent = service.beside(without_access_log=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for question in questions:
                if not question.inserts:
                    cost_of(options, question, service, silent, turns, folder)
    finally:
        silent.stop()


def cost_of(options, question, service, silent, turns, folder):
    bodies = [json.dumps({"query": question.document, "variables": one}) for one in question.variables]

    def ask(whom):
        return wrk(whom.url, service.token, bodies, SECONDS, options.clients, folder)

    rows = {service: [], silent: []}
    for whom in rows:
        ask(whom)  # warms connections and plans
    for turn in range(turns):
        for whom in (service, silent) if turn % 2 == 0 else (silent, service):
            rows[whom].append(ask(whom))
    middle = [[statistics.median(column) for column in zip(*rows[whom])] for whom in rows]
    share = statistics.median(one[0] / other[0] for one, other in zip(rows[service], rows[silent]))
    figures = " ".join(f"{rate:10.0f} {half:8.1f} {most:8.1f}" for rate, half, most in middle)
    print(f"{question.name:36} {figures} {1 - share:6.0%}", flush=True)
