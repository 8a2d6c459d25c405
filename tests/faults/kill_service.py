"""kill -9 of the service under write load, again and again, and a start on the same files each time.

Promised: nothing acknowledged is missing, nothing is there twice (clients repeat with their key), nothing is there in parts,
the chains verify, Postgres does not stay behind.
"""
import random, time
from harness import *


def fault(long):
    rounds = 20 if long else 2
    with Place("kill-service") as place:
        service = Service(place.data)
        acknowledged, chance = Acknowledged(place), random.Random(1)
        writers = Writers(service, place, acknowledged)
        for _ in range(rounds):
            before = len(acknowledged)
            until("acknowledgements", lambda: len(acknowledged) >= before + 15, within=60)
            time.sleep(chance.random() * 0.3)
            service.kill()
            # The same port: the clients go on.
            service.start()
        before = len(acknowledged)
        until("acknowledgements after the last kill", lambda: len(acknowledged) >= before + 5, within=60)
        writers.stop()
        sql = place.sql()
        kept = whole_or_not(sql, acknowledged, writers.tried)
        settled(sql)
        service.stop()
        place.verify()
        return f"{rounds} kills, {len(acknowledged)} acknowledged, {kept} there, {writers.refusals} tries without an answer"


if __name__ == "__main__":
    main(fault)
