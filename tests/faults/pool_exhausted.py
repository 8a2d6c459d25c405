"""Every database connection is taken: statements wait for a lock that somebody holds.

Promised: who finds no free connection is told 503 UNAVAILABLE with Retry-After within 1 s (the default of --pool-wait is
800 ms); the process lives; when the lock goes, everything goes on, and no connection is lost.
"""
import threading, time
from harness import *

SIZE = 4
# Beside the pool: the access log has two connections of its own (ARCHITECTURE.md).
LOG = 2


def fault(long):
    rounds = 10 if long else 2
    with Place("pool") as place:
        service = Service(place.data, "--pool-size", str(SIZE), "--lock-timeout", "4s")
        token, slowest, refused, others = place.world["token"], 0.0, 0, 0
        for _ in range(rounds):
            holder = place.sql()
            holder.rows("BEGIN")
            holder.rows("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE")
            outcomes, released = [], threading.Event()

            def hold():
                # Each thread that serves has a share of the pool: who came to one that has none free comes again, by another
                # connection, until every share is taken.
                while True:
                    answer = service.client(token, 20).ask("{ patients { totalCount } }")
                    if answer.codes != ["UNAVAILABLE"] or released.is_set():
                        outcomes.append(answer)
                        return

            holders = [threading.Thread(target=hold) for _ in range(SIZE)]
            for thread in holders:
                thread.start()
            watch = place.sql()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clinic' AND wait_event_type = 'Lock'"
            until("every connection waits", lambda: watch.one(waiting) == str(SIZE), within=5)
            watch.close()
            # Asks for no locked table: only the pool stands in its way.
            for query in ("{ me { id } }", "{ organisation { name } }"):
                client = service.client(token, 20)
                check(client.get("/health/live")[0] == 200, "not live")
                begun = time.monotonic()
                answer = client.ask(query)
                took = time.monotonic() - begun
                check((answer.status, answer.codes) == (503, ["UNAVAILABLE"]), f"{answer.status} {answer.body[:200]!r}")
                check(int(answer.headers.get("retry-after", "0")) >= 1, "no Retry-After")
                slowest, refused = max(slowest, took), refused + 1
            released.set()
            holder.rows("ROLLBACK")
            holder.close()
            for thread in holders:
                thread.join(timeout=20)
            check(all(answer.done or answer.codes == ["UNAVAILABLE"] for answer in outcomes), "an odd end of who waited")
            begun = time.monotonic()
            until("answers again", lambda: service.client(token).ask("{ patients { totalCount } }").done, within=5)
            # As many at a time as there are connections: none has leaked.
            answers = []
            together = [threading.Thread(target=lambda: answers.append(service.client(token).ask("{ me { id } }"))) for _ in range(SIZE)]
            for thread in together:
                thread.start()
            for thread in together:
                thread.join(timeout=20)
            others += sum(answer.done for answer in answers)
            check(others % SIZE == 0, "a connection was lost")
        # A second for a busy machine on top of the promise.
        check(slowest < 2, f"told after {slowest:.2f} s")
        sql = place.sql()
        settled(sql)
        check(int(sql.one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clinic'")) <= SIZE + LOG, "too many connections")
        service.stop()
        place.verify()
        return f"{refused} refused, each within {slowest * 1000:.0f} ms, with Retry-After"


if __name__ == "__main__":
    main(fault)
