"""The clock of the service moves an hour forwards, and an hour back. Postgres keeps its own time.

Promised:
- forwards: a sign-in that idled past its time has ended, a new one works; what is written is in order and verifies; a
  repeated request with its key gives the same record.
- backwards: the sign-ins of before still work and none lives longer than it would have by the clock it was made by; a new
  sign-in works at once; writes go on, get later numbers in the ledger though earlier times, and verify; keys still hold.

The service runs under libfaketime (Debian: faketime), which moves the wall clock and leaves the monotonic one.
"""
import glob, os, time
from harness import *


def library():
    for pattern in ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1"):
        for found in glob.glob(pattern):
            return found
    raise Skipped("libfaketime is not here (Debian: faketime)")


def wrong_password(service):
    answer = Client(service.address).ask("mutation ($input: SignInInput!) { signIn(input: $input) { token } }",
                                         {"input": {"email": "anna@faults.example", "password": "wrong"}})
    check(answer.codes in (["UNAUTHENTICATED"], ["RATE_LIMITED"]), f"{answer.body[:200]!r}")
    return answer.codes[0]


def fault(long):
    preload = library()
    rounds = 4 if long else 1
    with Place("clock") as place:
        clock = os.path.join(place.path, "clock")

        def move(hours):
            with open(clock + ".new", "w") as file:
                file.write(f"{hours * 3600:+d}\n")
            os.rename(clock + ".new", clock)
            time.sleep(0.3)

        move(0)
        environment = {"LD_PRELOAD": preload, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        service = Service(place.data, "--sign-in-idle", "15m", environment=environment)
        acknowledged, tried = Acknowledged(place), set()

        def log(client, mark, document=None):
            tried.add(mark)
            document = document or session_input(place.world, mark)
            answer = client.ask(LOG_SESSION, {"input": document}, key=mark)
            check(answer.done, f"{mark}: {answer.status} {answer.body[:300]!r}")
            acknowledged.add(mark, answer.data["logSession"]["session"]["id"])
            return document

        me = "{ me { id } }"
        sql = place.sql()
        service_time = "SELECT extract(epoch FROM max(created_at) - now())::int FROM sign_in"
        for turn in range(rounds):
            move(0)
            anna = service.sign_in("anna@faults.example")
            kept = log(anna, f"now-{turn}")
            move(1)
            answer = anna.ask(me)
            check(answer.codes == ["UNAUTHENTICATED"], f"a sign-in outlived its idle time: {answer.body[:200]!r}")
            later = service.sign_in("anna@faults.example")
            ahead = int(sql.one(service_time))
            check(3400 < ahead < 3700, f"the clock did not move: {ahead} s")
            log(later, f"later-{turn}")
            log(later, f"now-{turn}", kept)
            move(-1)
            for client in (anna, later):
                check(client.ask(me).done, "a sign-in of before the clock went back")
            earlier = service.sign_in("anna@faults.example")
            log(earlier, f"earlier-{turn}")
            log(earlier, f"now-{turn}", kept)
            log(later, f"later-again-{turn}")
            move(0)
            for client in (anna, later):
                check(client.ask(me).done, "a sign-in when the clock is right again")
            answer = earlier.ask(me)
            check(answer.codes == ["UNAUTHENTICATED"], "by the right clock it has idled for an hour")
            check(service.ready(), "not ready")
        # The delays after wrong passwords: none grows by an hour because the clock went back, and none is lost.
        outcomes = [wrong_password(service) for _ in range(12)]
        check("RATE_LIMITED" in outcomes, f"no delay after wrong passwords: {outcomes}")
        move(-1)
        check(service.sign_in("anna@faults.example").ask(me).done, "locked out by the clock")
        outcomes = [wrong_password(service) for _ in range(12)]
        check("RATE_LIMITED" in outcomes, f"the clock took the delay away: {outcomes}")
        move(0)
        kept = whole_or_not(sql, acknowledged, tried)
        orders = sql.one("SELECT count(*) FROM (SELECT seq - lag(seq) OVER (ORDER BY seq) AS step FROM ledger) AS l WHERE step <> 1")
        check(orders == "0", "the ledger's numbers have gaps")
        backwards = int(sql.one("SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY seq) AS step FROM ledger) AS l WHERE step < '0'"))
        check(backwards >= rounds, "the ledger's times never went back: the clock did not move")
        sql.close()
        service.stop()
        place.verify()
        return f"an hour either way, {rounds} times: {kept} records, {backwards} steps back in the ledger's times, whole"


if __name__ == "__main__":
    main(fault)
