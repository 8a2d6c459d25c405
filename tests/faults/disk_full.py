"""The disk under the database fills up under write load, and space comes back.

Promised: no false acknowledgement; what fails is UNAVAILABLE; once there is space again, the service goes on by itself,
without a restart of its own; the chains verify.

As root the database lies on a small tmpfs of its own that a filler file fills. Elsewhere Postgres' processes get a limit on
the size of files (`prlimit`), which is to Postgres what a full disk is: no file grows.
"""
import os, shutil, subprocess, time
from harness import *


class SmallDisk:
    """A tmpfs with the prepared cluster on it."""

    def __init__(self, place):
        self.mount, self.filler = os.path.join(place.path, "disk"), os.path.join(place.path, "disk", "filler")
        cluster = os.path.realpath(os.path.join(place.data, "postgres", "data"))
        used = int(subprocess.run(["du", "-sm", cluster], capture_output=True, text=True, check=True).stdout.split()[0])
        os.mkdir(self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + 60}m,mode=755", "tmpfs", self.mount], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skipped(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        place.closing.callback(lambda: subprocess.run(["umount", "-l", self.mount], capture_output=True))
        self.data = os.path.join(self.mount, "data")
        copy(cluster, self.data)
        self.name = "a tmpfs that is full"

    def fill(self, _):
        with open(self.filler, "wb", buffering=0) as file:
            block = b"\0" * 65536
            while True:
                try:
                    if file.write(block) < len(block):
                        break
                except OSError:
                    break

    def free(self, _):
        os.remove(self.filler)


class SizeLimit:
    """No file of Postgres may grow past 256 KiB."""

    def __init__(self, place):
        if not shutil.which("prlimit"):
            raise Skipped("neither a tmpfs can be mounted nor is there prlimit (Debian: util-linux)")
        self.data, self.name = None, "a limit on the size of files"

    @staticmethod
    def processes(postgres):
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postgres.process.pid)], capture_output=True, text=True).stdout.split()
        return [str(postgres.process.pid), *children]

    def limit(self, postgres, size):
        for pid in self.processes(postgres):
            done = subprocess.run(["prlimit", "--pid", pid, f"--fsize={size}:unlimited"], capture_output=True, text=True, **postgres.user)
            if done.returncode != 0 and pid == str(postgres.process.pid):
                raise Skipped(f"prlimit can't: {done.stderr.strip()}")

    def fill(self, postgres):
        self.limit(postgres, 262144)

    def free(self, postgres):
        self.limit(postgres, "unlimited")


def disk(place):
    if ROOT and not os.environ.get("CLINIC_FAULTS_NO_MOUNT"):
        try:
            return SmallDisk(place)
        except Skipped as why:
            say(f"{why}: with a limit on the size of files instead")
    return SizeLimit(place)


def fault(long):
    rounds = 6 if long else 1
    with Place("disk-full") as place:
        small = disk(place)
        postgres = Postgres(place, data=small.data, settings=("wal_keep_size=0", "min_wal_size=32MB", "max_wal_size=48MB"))
        service = Service(place.data, database_url=postgres.url)
        acknowledged, longest = Acknowledged(place), 0.0
        writers = Writers(service, place, acknowledged)
        for _ in range(rounds):
            before = len(acknowledged)
            until("acknowledgements", lambda: len(acknowledged) >= before + 10, within=60)
            refusals = writers.refusals
            small.fill(postgres)
            stuffing = start_stuffing(postgres)
            until("refusals on the full disk", lambda: writers.refusals >= refusals + 8 or writers.faults, within=60)
            stuffing.set()
            check(service.alive(), "the service ended")
            check(service.client(None).get("/health/live")[0] == 200, "not live")
            time.sleep(0.5)
            small.free(postgres)
            if postgres.process.poll() is not None:
                # Without room for its log Postgres stops altogether; who runs it starts it again (the private one the
                # service itself).
                postgres.start()
            begun, before = time.monotonic(), len(acknowledged)
            until("a write once there is space", lambda: len(acknowledged) > before or writers.faults, within=30)
            longest = max(longest, time.monotonic() - begun)
        writers.stop()
        sql = postgres.sql()
        kept = whole_or_not(sql, acknowledged, writers.tried)
        settled(sql)
        sql.close()
        service.stop()
        place.verify(postgres.url)
        return f"{small.name}, {rounds} times: {len(acknowledged)} acknowledged, {kept} there, {writers.refusals} refused, back after {longest:.1f} s"


def start_stuffing(postgres):
    """Writes rows of its own, so that the last free pages go quickly."""
    stop = threading.Event()

    def stuff():
        while not stop.is_set():
            try:
                sql = postgres.sql()
                sql.rows("CREATE TABLE IF NOT EXISTS public.stuffing (text text)")
                while not stop.is_set():
                    sql.rows("INSERT INTO public.stuffing SELECT repeat('x', 2000) FROM generate_series(1, 2000)")
            except (OSError, SqlError):
                stop.wait(0.2)

    threading.Thread(target=stuff, daemon=True).start()
    return stop


if __name__ == "__main__":
    main(fault)
