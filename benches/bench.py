#!/usr/bin/env python3
"""The service beside its yardsticks, on the same Postgres, in the same run.

- the peer: PostGraphile 5 on the same tables, as the same role, under the same row policies;
- the least SQL: what answers the question with the fewest columns and statements, by pgbench (least.py);
- its own SQL: the statements that the service itself sends, by pgbench (own_statements.py).

The sides take turns, in another order each round, so that what else the machine does falls on all of them; what counts is the
median of the rounds' ratios. Before a question is measured, the sides' answers to all its variants are compared.
"""
import argparse, json, os, subprocess, tempfile

import access_log, answers, live, own_statements, report, search
from database import Database
from least import LeastSql
from load import pgbench, wrk
from peer import Peer
from questions import ask_of, choose
from report import LEAST, OWN, PEER, SERVICE
from service import Service

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WARM_UP = 2  # seconds of each side before its turns count: connections, plans, the peer's compiler


def main():
    options = arguments()
    if options.only == search.NAME:
        search.measure(options)
        return
    folder = os.path.abspath(options.data_dir)
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    subprocess.run([options.clinic, "demo", "--patients", str(options.patients), "--data-dir", folder],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    service = Service(options.clinic, folder, options.pool)
    try:
        database = Database(folder)
        database.tidy()
        if options.only not in (access_log.NAME, live.NAME):
            measure(options, service, database)
        if options.only in (None, access_log.NAME):
            access_log.measure(options, service, choose(None, service, database))
        if options.only in (None, live.NAME):
            live.measure(options, service, choose("logSession", service, database))
    finally:
        service.stop()
    if options.only is None:
        search.measure(options)


def arguments():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    options.add_argument("--clinic", default=os.path.join(ROOT, "target/release/clinic"), help="the program to measure")
    options.add_argument("--data-dir", default=os.path.join(ROOT, ".clinic/bench"))
    options.add_argument("--peer", metavar="DIR", help="where PostGraphile is installed; absent, it is left out")
    options.add_argument("--peer-processes", type=int, default=os.cpu_count(), help="absent, one for each core")
    options.add_argument("--patients", type=int, default=100_000)
    options.add_argument("--seconds", type=int, default=6, help="of each turn")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--pool", type=int, default=16, help="connections of the service, and of each process of the peer")
    options.add_argument("--only", help=f"a part of one request's name, {access_log.NAME}, {live.NAME} or {search.NAME}")
    options.add_argument("--searched", type=int, default=1_000_000, help="patients that are searched")
    options.add_argument("--searches", type=int, default=200, help="of each kind")
    options = options.parse_args()
    options.clinic = os.path.abspath(options.clinic)
    return options


def measure(options, service, database):
    questions = choose(options.only, service, database)
    own = of_own_statements(questions, service, database)
    peer = Peer(options.peer, database, options.pool, options.peer_processes) if options.peer else None
    try:
        if peer:
            ask_of(peer, questions, database)
        heading(options, database, peer)
        measured = [(question, take_turns(options, question, service, database, peer, own[question.name])) for question in questions]
        report.ratios(measured)
        report.times(measured)
    finally:
        if peer:
            peer.stop()


def of_own_statements(questions, service, database):
    # A connection logs its statements if that was set before it was opened; and Postgres starts and stops with the service.
    database.log_statements(True)
    try:
        restart(service)
        return {question.name: own_statements.scripts_of(question, service, database) for question in questions}
    finally:
        database.log_statements(False)
        restart(service)


def restart(service):
    service.stop()
    service.start()


def heading(options, database, peer):
    print(f"{database.superuser('SELECT count(*) FROM patient').strip()} patients,",
          f"{database.superuser('SELECT count(*) FROM treatment_session').strip()} sessions,",
          f"{options.clients} clients, medians of {options.rounds} rounds of {options.seconds} s each;",
          f"peer: {peer.name}, {peer.processes} processes" if peer else "no peer", flush=True)


def take_turns(options, question, service, database, peer, own):
    """What each side gave in each of its turns."""
    with tempfile.TemporaryDirectory() as folder:

        def http(url, token, document, variables):
            bodies = [json.dumps({"query": document, "variables": one}) for one in variables]
            return lambda seconds: wrk(url, token, bodies, seconds, options.clients, folder)

        def sql(scripts):
            return lambda seconds: pgbench(database, scripts, seconds, options.clients, folder)

        sides = {SERVICE: http(service.url, service.token, question.document, question.variables), OWN: sql(own)}
        if question.least:
            least = LeastSql(database, question.patients)
            sides[LEAST] = sql([least.script(question.least)])
            compared = answers.look(question, service, peer, least)
            print(f"{question.name}: {compared} values of {len(question.variables)} answers are the same on every side", flush=True)
            if peer:
                sides[PEER] = http(peer.url, None, question.peer_document, question.peer_variables)
        for side in sides.values():
            side(WARM_UP)
        turns = {name: [] for name in sides}
        order = list(sides)
        for _ in range(options.rounds):
            for name in order:
                turns[name].append(sides[name](options.seconds))
            order = order[1:] + order[:1]
        return turns


if __name__ == "__main__":
    main()
