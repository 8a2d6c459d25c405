"""1,000 clients that send a mutation and hang up: before it is whole, right after it, while it runs, with and without a reset.

Promised: each mutation happened whole or not at all, none twice; no connection stays open or busy; the service answers as
before; a later try with the same key gives the one record.
"""
import random, socket, struct, threading, time
from harness import *


def fault(long):
    clients = 10_000 if long else 1_000
    with Place("hang-up") as place:
        service = Service(place.data, "--log", "warn")
        chance, token, acknowledged = random.Random(3), place.world["token"], Acknowledged(place)
        sent, lock = [], threading.Lock()

        def hang_up(mark, cut, wait, reset):
            body = json.dumps({"query": LOG_SESSION, "variables": {"input": session_input(place.world, mark)}}).encode()
            head = (f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
                    f"Idempotency-Key: {mark}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
            text = head + body
            with socket.create_connection(service.address, timeout=20) as wire:
                wire.sendall(text[:int(len(text) * cut)] if cut < 1 else text)
                time.sleep(wait)
                if reset:
                    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with lock:
                sent.append(mark)

        def work(number, count):
            plan = random.Random(number)
            for turn in range(count):
                cut = plan.choice([plan.random(), 1, 1, 1])
                hang_up(f"gone-{number}-{turn}", cut, plan.choice([0, 0, plan.random() * 0.05]), plan.random() < 0.5)

        threads = [threading.Thread(target=work, args=(number, clients // 20), daemon=True) for number in range(20)]
        for thread in threads:
            thread.start()
        client, slow = service.client(token), 0.0
        while any(thread.is_alive() for thread in threads):
            begun = time.monotonic()
            answer = client.ask("{ me { id } }")
            check(answer.done or answer.codes == ["UNAVAILABLE"], f"meanwhile: {answer.status} {answer.body[:200]!r}")
            slow = max(slow, time.monotonic() - begun)
            time.sleep(0.2)
        check(len(sent) == clients // 20 * 20, "a client could not hang up")
        sql = place.sql()
        # What was begun ends.
        settled(sql)
        count, last = -1, -2
        while count != last:
            last, count = count, int(sql.one("SELECT count(*) FROM treatment_session"))
            time.sleep(0.7)
        settled(sql)
        kept = whole_or_not(sql, acknowledged, sent)
        check(0 < kept < len(sent), f"{kept} of {len(sent)} happened")
        # The same key again: the record that is there, or one now; never a second.
        for mark in chance.sample(sent, 30):
            answer = client.ask(LOG_SESSION, {"input": json.loads(json.dumps(session_input(place.world, mark)))}, key=mark)
            if answer.done:
                acknowledged.add(mark, answer.data["logSession"]["session"]["id"])
            else:
                # The times in the input are of now: an older request of the same key had others.
                check(answer.codes == ["IDEMPOTENCY_MISMATCH"], f"{answer.status} {answer.body[:200]!r}")
        whole_or_not(sql, acknowledged, sent)
        until("no socket stays open", lambda: open_sockets(service) <= 2, within=20)
        begun = time.monotonic()
        check(client.ask("{ me { id } }").done, "healthy")
        check(time.monotonic() - begun < 2, "healthy, and slow")
        service.stop()
        place.verify()
        return f"{len(sent)} hung up, {kept} of them happened and whole; slowest answer to others {slow:.2f} s"


def open_sockets(service):
    """Connections that the service has not let go of, by the kernel's table: all but TIME_WAIT and the listener."""
    try:
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return 0
    return sum(int(row[1].split(":")[1], 16) == service.address[1] and row[3] not in ("06", "0A") for row in rows)


if __name__ == "__main__":
    main(fault)
