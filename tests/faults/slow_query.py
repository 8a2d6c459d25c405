"""A statement that would take for ever is cut: by its own time, by the wait for a lock, by the request's deadline, and when its
client has gone.

Promised: UNAVAILABLE when the time is up, the backend is gone or at rest soon after, the next request works.
"""
import socket, time
from harness import *

READ = "{ patients { totalCount } }"


def cut(place, flags, within, what):
    service = Service(place.data, *flags)
    token = place.world["token"]
    client = service.client(token, 30)
    check(client.ask(READ).done, "before")
    sql, watch = place.sql(), place.sql()
    sql.rows("BEGIN")
    sql.rows("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE")
    begun = time.monotonic()
    answer = client.ask(READ)
    took = time.monotonic() - begun
    check((answer.status, answer.codes) == (503, ["UNAVAILABLE"]), f"{what}: {answer.status} {answer.body[:200]!r}")
    check(answer.headers.get("retry-after"), f"{what}: no Retry-After")
    check(took < within, f"{what}: after {took:.1f} s")
    working = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clinic' AND state = 'active'"
    gone = until(f"{what}: the backend is gone", lambda: watch.one(working) == "0", within=6)
    sql.rows("ROLLBACK")
    check(client.ask(READ).done, f"{what}: the next request")
    settled(watch)
    sql.close()
    watch.close()
    return service, took, gone


def fault(long):
    with Place("slow-query") as place:
        told = []
        cases = [
            ("statement timeout", ["--statement-timeout", "700ms", "--lock-timeout", "5s"], 3),
            ("lock timeout", ["--lock-timeout", "500ms"], 3),
            # The request ends first; its statement follows.
            ("deadline", ["--request-deadline", "1s", "--statement-timeout", "999ms", "--lock-timeout", "998ms"], 4),
        ]
        for _ in range(5 if long else 1):
            for what, flags, within in cases:
                service, took, gone = cut(place, flags, within, what)
                told.append(f"{what} {took:.2f} s (backend gone {gone:.2f} s later)")
                service.stop()
        # A query whose client hangs up: Postgres notices by itself, long before the statement's time.
        service = Service(place.data, "--statement-timeout", "60s", "--lock-timeout", "50s", "--request-deadline", "61s", "--shutdown-timeout", "62s")
        sql, watch = place.sql(), place.sql()
        sql.rows("BEGIN")
        sql.rows("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE")
        gone = socket.create_connection(service.address)
        body = b'{"query": "{ patients { totalCount } }"}'
        gone.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                     + place.world["token"].encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        working = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clinic' AND wait_event_type = 'Lock'"
        until("it waits", lambda: watch.one(working) == "1", within=5)
        # Reset, not closed: a client that closes only its own half still gets its answer.
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
        took = until("a statement whose client is gone ends", lambda: watch.one(working) == "0", within=10)
        told.append(f"client gone {took:.2f} s")
        sql.rows("ROLLBACK")
        check(service.client(place.world["token"]).ask(READ).done, "the next request")
        sql.close()
        watch.close()
        service.stop()
        place.verify()
        return "; ".join(told[-4:])


if __name__ == "__main__":
    main(fault)
