"""kill -9 of the private Postgres under write load: of its postmaster, and of single backends.

Promised: the service starts it again by itself and serves within 10 s; what is asked in between is UNAVAILABLE; nothing
acknowledged is missing, nothing is there twice, the chains verify.
"""
import os, random, signal, time
from harness import *


def backends(postmaster):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
                with open(f"/proc/{name}/cmdline") as file:
                    if parent == postmaster and "clinic_app" in file.read():
                        found.append(int(name))
            except (OSError, IndexError, ValueError):
                pass
    return found


def fault(long):
    rounds = 20 if long else 3
    with Place("kill-postgres") as place:
        service = Service(place.data)
        acknowledged, chance, longest = Acknowledged(place), random.Random(2), 0.0
        writers = Writers(service, place, acknowledged)
        for number in range(rounds):
            before = len(acknowledged)
            until("acknowledgements", lambda: len(acknowledged) >= before + 15, within=60)
            time.sleep(chance.random() * 0.3)
            postmaster = place.postmaster
            if number % 3 == 1 and (some := backends(postmaster)):
                # Postgres itself then ends all the others and recovers.
                os.kill(chance.choice(some), signal.SIGKILL)
            else:
                os.kill(postmaster, signal.SIGKILL)
            before = len(acknowledged)
            longest = max(longest, until("a write after the kill", lambda: len(acknowledged) > before, within=30))
            until("ready after the kill", service.ready, within=10)
            check(service.alive(), "the service ended with its Postgres")
        check(longest < 20, f"writes came back after {longest:.1f} s")
        writers.stop()
        sql = place.sql()
        kept = whole_or_not(sql, acknowledged, writers.tried)
        settled(sql)
        service.stop()
        check("Postgres ended: it is started again" in service.words(), "the log says nothing of it")
        place.verify()
        return f"{rounds} kills, back after {longest:.1f} s at the longest, {len(acknowledged)} acknowledged, {kept} there"


if __name__ == "__main__":
    main(fault)
