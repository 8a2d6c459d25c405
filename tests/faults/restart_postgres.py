"""A Postgres of one's own is restarted under write load: in order, at once, and by kill -9.

Promised: from the moment that it takes connections, the service reads and writes (the access log too) within 5 s, without a
restart of its own; meanwhile it lives, says 503 at /health/ready and UNAVAILABLE to requests.
"""
import signal, time
from harness import *


def fault(long):
    rounds = 12 if long else 3
    with Place("restart-postgres") as place:
        postgres = Postgres(place)
        service = Service(place.data, database_url=postgres.url)
        process = service.process.pid
        acknowledged, longest = Acknowledged(place), 0.0
        writers = Writers(service, place, acknowledged)
        reader = service.client(place.world["token"])
        chart = "query ($id: ID!) { patient(id: $id) { displayName sessions(first: 1) { nodes { note } } } }"
        for number in range(rounds):
            before = len(acknowledged)
            until("acknowledgements", lambda: len(acknowledged) >= before + 10, within=60)
            postgres.end([signal.SIGINT, signal.SIGQUIT, signal.SIGKILL][number % 3])
            until("not ready", lambda: not service.ready(), within=5)
            check(reader.get("/health/live")[0] == 200, "not live without its database")
            answer = reader.ask("{ me { id } }")
            check((answer.status, answer.codes) == (503, ["UNAVAILABLE"]), f"{answer.status} {answer.body[:200]!r}")
            check(answer.headers.get("retry-after"), "a 503 without Retry-After")
            time.sleep(0.5)
            postgres.start()
            # It may have taken longer than the service keeps a silent connection.
            reader.close()
            begun, before = time.monotonic(), len(acknowledged)
            # A patient is shown only when the row in the access log is durable.
            until("a read", lambda: reader.ask(chart, {"id": place.world["patient"]}).done, within=5)
            until("a write", lambda: len(acknowledged) > before, within=5)
            until("ready", service.ready, within=5)
            longest = max(longest, time.monotonic() - begun)
        check(longest < 5, f"back after {longest:.1f} s")
        writers.stop()
        check(service.alive() and service.process.pid == process, "it was restarted")
        sql = postgres.sql()
        kept = whole_or_not(sql, acknowledged, writers.tried)
        settled(sql)
        sql.close()
        service.stop()
        place.verify(postgres.url)
        return f"{rounds} restarts, back within {longest:.2f} s, {len(acknowledged)} acknowledged, {kept} there"


if __name__ == "__main__":
    main(fault)
