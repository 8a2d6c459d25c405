"""What the fault scripts share: the built service, its Postgres, clients that remember what was acknowledged, and checks.

Python's standard library and nothing else. Everything is on loopback and in a folder of its own under /tmp.
"""
import atexit, base64, contextlib, hashlib, hmac, http.client, json, os, queue, random, re, secrets, shutil, signal, socket, struct
import subprocess, sys, tempfile, threading, time, uuid

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.abspath(os.environ.get("CLINIC_FAULTS_BINARY") or os.path.join(
    os.environ.get("CARGO_TARGET_DIR") or os.path.join(CHECKOUT, "target"), "debug", "clinic"))
PASSWORD = "a long password for faults"
NEW = "application/graphql-response+json"
LOG_SESSION = """mutation ($input: LogSessionInput!) { logSession(input: $input) { session { id version } } }"""
ROOT = os.geteuid() == 0


class Broken(Exception):
    """A promise of the service that did not hold."""


class Skipped(Exception):
    """What this machine can't do."""


def check(holds, what):
    if not holds:
        raise Broken(what)


def say(text):
    print(f"    {text}", flush=True)


def until(what, there, within=30.0, step=0.05):
    """Waits for something; how long it took."""
    begun = time.monotonic()
    while True:
        if there():
            return time.monotonic() - begun
        check(time.monotonic() - begun < within, f"{what}: not within {within:g} s")
        time.sleep(step)


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if name == "CLINIC_POSTGRES_BIN" or not name.startswith("CLINIC_") and name != "DATABASE_URL"}
    return dict(kept, **more)


def command(*arguments, stdin=""):
    """Runs a command of the program to its end."""
    done = subprocess.run([BINARY, *arguments], input=stdin, capture_output=True, text=True, timeout=120, env=clean_environment())
    check(done.returncode == 0, f"clinic {' '.join(arguments)}: {done.stderr.strip()[-600:]}")
    return done.stdout


# --- Postgres, spoken to directly -------------------------------------------------------------------------------------

class SqlError(Exception):
    pass


class Sql:
    """A superuser's connection: simple queries, text answers."""

    def __init__(self, address, password, user="postgres", database="clinic"):
        if isinstance(address, str):
            self.wire = socket.socket(socket.AF_UNIX)
        else:
            self.wire = socket.socket(socket.AF_INET)
        self.wire.settimeout(60)
        self.wire.connect(address)
        start = b"".join(part.encode() + b"\0" for part in ("user", user, "database", database)) + b"\0"
        self.wire.sendall(struct.pack("!ii", len(start) + 8, 196608) + start)
        self.sign_in(user, password)

    def read(self, length):
        got = b""
        while len(got) < length:
            part = self.wire.recv(length - len(got))
            if not part:
                raise SqlError("Postgres closed the connection")
            got += part
        return got

    def message(self):
        kind, length = struct.unpack("!ci", self.read(5))
        return kind, self.read(length - 4)

    def send(self, kind, body):
        self.wire.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    @staticmethod
    def fault(body):
        fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
        return SqlError(fields.get(b"M", "an error"))

    def sign_in(self, user, password):
        nonce, first, proof = secrets.token_hex(12), None, None
        while True:
            kind, body = self.message()
            if kind == b"E":
                raise self.fault(body)
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            step = struct.unpack("!i", body[:4])[0]
            if step == 10:
                first = f"n=,r={nonce}"
                text = f"n,,{first}".encode()
                self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(text)) + text)
            elif step == 11:
                server = body[4:].decode()
                parts = dict(part.split("=", 1) for part in server.split(","))
                salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
                key = hmac.digest(salted, b"Client Key", "sha256")
                last = f"c=biws,r={parts['r']}"
                signed = hmac.digest(hashlib.sha256(key).digest(), f"{first},{server},{last}".encode(), "sha256")
                proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signed))).decode()
                self.send(b"p", f"{last},p={proof}".encode())

    def rows(self, statement):
        self.send(b"Q", statement.encode() + b"\0")
        rows, error = [], None
        while True:
            kind, body = self.message()
            if kind == b"D":
                count, place, row = struct.unpack("!h", body[:2])[0], 2, []
                for _ in range(count):
                    length = struct.unpack("!i", body[place:place + 4])[0]
                    place += 4
                    row.append(None if length < 0 else body[place:place + length].decode())
                    place += max(length, 0)
                rows.append(row)
            elif kind == b"E":
                error = self.fault(body)
            elif kind == b"Z":
                if error:
                    raise error
                return rows

    def one(self, statement):
        return self.rows(statement)[0][0]

    def close(self):
        self.wire.close()


# --- the service ------------------------------------------------------------------------------------------------------

class Place:
    """A folder of one fault: a copy of the prepared clinic."""

    template = None
    programs = None

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f"clinic-faults-{name}-", dir="/tmp")
        os.chmod(self.path, 0o755)
        self.data = os.path.join(self.path, "data")
        copy(prepared(), self.data)
        self.passwords = read_passwords(self.data)
        self.closing = contextlib.ExitStack()
        with open(os.path.join(self.data, "world.json")) as file:
            self.world = json.load(file)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind and kind is not Skipped:
            self.last_words()
        for service in Service.running:
            service.kill()
        Service.running.clear()
        self.closing.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def last_words(self):
        """What the service and Postgres complained of: the folder goes, this stays."""
        for name in ("service.log", "postgres.log"):
            with contextlib.suppress(OSError):
                with open(os.path.join(self.path, name), errors="replace") as file:
                    lines = [line for line in file.read().split("\n") if re.search("ERROR|WARN|FATAL|PANIC|panicked", line)]
                for line in list(dict.fromkeys(re.sub(r"^.*?(\"level\"|FATAL|PANIC)", r"\1", line) for line in lines))[-12:]:
                    say(f"{name}: {line[:400]}")

    @property
    def postmaster(self):
        with open(os.path.join(self.data, "postgres/data/postmaster.pid")) as file:
            return int(file.readline())

    def sql(self):
        """Of the private Postgres."""
        with open(os.path.join(self.data, "postgres/data/postmaster.pid")) as file:
            lines = file.read().split("\n")
        return Sql(os.path.join(lines[4], f".s.PGSQL.{lines[3]}"), self.passwords["postgres"])

    def verify(self, database_url=None):
        """The ledger and the access log are whole."""
        where = ["--database-url", database_url] if database_url else ["--data-dir", self.data]
        said = command("audit", *where, "verify")
        check("the ledger is whole" in said and "the access log is whole" in said and "broken" not in said, said)


def copy(source, target):
    # Owners and modes too.
    subprocess.run(["cp", "-a", source, target], check=True)


def read_passwords(data):
    with open(os.path.join(data, "passwords")) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


def prepared():
    """A data folder with an organisation, made once for all faults of a run."""
    if Place.template is None:
        folder = tempfile.mkdtemp(prefix="clinic-faults-", dir="/tmp")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        data = os.path.join(folder, "data")
        command("staff", "--data-dir", data, "add", "--email", "admin@faults.example", "--name", "Admin", "--role", "admin",
                "--organisation", "Faults", stdin=PASSWORD + "\n")
        service = Service(data, log=os.path.join(folder, "log"))
        admin = service.sign_in("admin@faults.example")
        admin.must("mutation ($input: AddStaffInput!) { addStaff(input: $input) { staff { id } } }",
                   {"input": {"email": "anna@faults.example", "displayName": "Anna", "role": "PRACTITIONER", "password": PASSWORD}})
        place = admin.must("mutation ($input: AddLocationInput!) { addLocation(input: $input) { location { id } } }",
                           {"input": {"name": "Main", "timeZone": "Europe/Madrid"}})["addLocation"]["location"]["id"]
        anna = service.sign_in("anna@faults.example")
        patient = anna.must("mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
                            {"input": {"legalName": {"given": "Zoë", "family": "Ramírez"}, "birthDate": "1990-05-17"}})
        service.stop()
        world = {"location": place, "patient": patient["registerPatient"]["patient"]["id"], "token": anna.token, "admin": admin.token}
        with open(os.path.join(data, "world.json"), "w") as file:
            json.dump(world, file)
        with open(os.path.join(folder, "log")) as file:
            Place.programs = re.search(r'"programs":"([^"]+)"', file.read()).group(1)
        Place.template = data
    return Place.template


def clear_up():
    if Place.template:
        shutil.rmtree(os.path.dirname(Place.template), ignore_errors=True)


class Service:
    """A running `clinic serve`."""

    def __init__(self, data, *flags, log=None, database_url=None, environment=None):
        self.data, self.flags, self.database_url, self.environment = data, flags, database_url, environment or {}
        self.log = log or os.path.join(os.path.dirname(data), "service.log")
        self.address, self.port = None, "0"
        Service.running.append(self)
        self.start()

    running = []

    def start(self):
        where = ["--database-url", self.database_url] if self.database_url else []
        idle = [] if "--sign-in-idle" in self.flags else ["--sign-in-idle", "11h"]
        line = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data, "--rate-limit-address", "0", *idle, *where, *self.flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            env=clean_environment(**self.environment), text=True)
        said, told = queue.Queue(), self.process.stdout
        threading.Thread(target=lambda: [said.put(line) for line in told] + [said.put("")], daemon=True).start()
        try:
            first = said.get(timeout=90)
        except queue.Empty:
            first = ""
        found = re.match(r"clinic listens on http://([\d.]+):(\d+)/graphql", first)
        if not found:
            self.kill()
            raise Broken(f"the service did not start: {self.words()[-800:]}")
        self.address, self.port = (found.group(1), int(found.group(2))), found.group(2)
        return self

    def words(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def sign_in(self, email):
        client = Client(self.address)
        answer = client.must("mutation ($input: SignInInput!) { signIn(input: $input) { token } }",
                             {"input": {"email": email, "password": PASSWORD}})
        return Client(self.address, answer["signIn"]["token"])

    def client(self, token, timeout=30):
        return Client(self.address, token, timeout)

    def alive(self):
        return self.process.poll() is None

    def memory(self):
        """Resident memory, MiB; None where it can't be read."""
        try:
            with open(f"/proc/{self.process.pid}/status") as file:
                return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024
        except OSError:
            return None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self):
        check(self.alive(), f"the service has ended by itself: {self.words()[-800:]}")
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(timeout=60) == 0, f"a bad end: {self.words()[-800:]}")
        self.no_panic()

    def no_panic(self):
        found = re.search(r".*panicked at.*", self.words())
        check(not found, f"a panic: {found and found.group(0)}")

    def ready(self):
        try:
            return self.client(None, 5).get("/health/ready")[0] == 200
        except OSError:
            return False


# --- a Postgres that the harness starts itself, on the prepared files ----------------------------------------------------

class Postgres:
    def __init__(self, place, data=None, settings=()):
        self.place, self.settings = place, settings
        self.data = data or os.path.join(place.data, "postgres", "data")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        owner = os.stat(self.data)
        self.user = {} if owner.st_uid == os.geteuid() else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        if os.path.islink(os.path.join(place.data, "postgres")):
            os.chmod(os.path.join(place.data), 0o755)
        self.process = None
        self.start()
        place.closing.callback(self.stop)

    @property
    def url(self):
        return f"postgres://clinic_owner:{self.place.passwords['clinic_owner']}@127.0.0.1:{self.port}/clinic"

    def start(self):
        line = [os.path.join(Place.programs, "postgres"), "-D", self.data]
        for setting in ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=on",
                        "max_connections=60", "shared_buffers=32MB", "log_min_messages=fatal", *self.settings):
            line += ["-c", setting]
        with open(os.path.join(self.place.path, "postgres.log"), "ab") as log:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                            start_new_session=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, **self.user)
        until("Postgres", self.answers)

    def answers(self):
        check(self.process.poll() is None, f"Postgres ended: {self.words()[-500:]}")
        try:
            self.sql().close()
            return True
        except (OSError, SqlError):
            return False

    def words(self):
        with open(os.path.join(self.place.path, "postgres.log"), errors="replace") as file:
            return file.read()

    def sql(self):
        return Sql(("127.0.0.1", self.port), self.place.passwords["postgres"])

    def end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=60)

    def stop(self):
        try:
            self.end(signal.SIGINT)
        except subprocess.TimeoutExpired:
            self.end(signal.SIGQUIT)


# --- clients ------------------------------------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def codes(self):
        errors = self.json.get("errors", []) if isinstance(self.json, dict) else []
        return [error.get("extensions", {}).get("code") for error in errors]

    @property
    def data(self):
        return self.json.get("data") if isinstance(self.json, dict) else None

    @property
    def done(self):
        return self.status == 200 and not self.codes and self.data is not None


class Client:
    """One kept connection; a failure of the network is an OSError."""

    def __init__(self, address, token=None, timeout=30):
        self.address, self.token, self.timeout, self.connection = address, token, timeout, None

    def request(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            self.close()
            raise OSError(f"no answer: {error!r}")
        except OSError:
            self.close()
            raise

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def get(self, path):
        return self.request("GET", path)

    def ask(self, query, variables=None, key=None):
        headers = {"Content-Type": "application/json", "Accept": NEW}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        return Answer(*self.request("POST", "/graphql", json.dumps({"query": query, "variables": variables or {}}), headers))

    def must(self, query, variables=None, key=None):
        answer = self.ask(query, variables, key)
        check(answer.done, f"{query[:60]}: {answer.status} {answer.body[:400]!r}")
        return answer.data


def session_input(world, mark):
    """A session of two areas and a product, recognised by its note."""
    hour = lambda ago: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 * ago))
    return {
        "patientId": world["patient"], "locationId": world["location"], "startedAt": hour(4), "endedAt": hour(3),
        "modality": "MICRONEEDLING", "device": {"model": "Derma Pen 4", "serial": "DP-77", "kind": "MOTORISED_PEN"},
        "areas": [{"area": "CHEEK", "side": side, "needleDepthMm": "1.25", "passes": 4, "endpoint": "ERYTHEMA"}
                  for side in ("LEFT", "RIGHT")],
        "products": [{"role": "CARTRIDGE", "product": "12-pin cartridge", "lot": "C-1"}],
        "painScore": 3, "note": mark,
    }


class Acknowledged:
    """What was acknowledged, kept outside the service: on disk before the next request goes out."""

    def __init__(self, place):
        self.file = open(os.path.join(place.path, "acknowledged"), "ab", buffering=0)
        self.lock, self.marks = threading.Lock(), {}

    def add(self, mark, session):
        with self.lock:
            check(self.marks.setdefault(mark, session) == session, f"{mark} was acknowledged as two records")
            self.file.write(f"{mark} {session}\n".encode())
            os.fsync(self.file.fileno())

    def __len__(self):
        with self.lock:
            return len(self.marks)


class Writers:
    """Threads that log sessions, each with a key, and repeat one that got no answer until it has one."""

    def __init__(self, service, place, acknowledged, threads=4, pause=0.0):
        self.service, self.world, self.acknowledged, self.pause = service, place.world, acknowledged, pause
        self.stopping, self.refusals, self.faults, self.tried = threading.Event(), 0, [], set()
        self.run_id = uuid.uuid4().hex[:6]
        self.threads = [threading.Thread(target=self.write, args=(number,), daemon=True) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def write(self, number):
        client, made = None, 0
        try:
            while not self.stopping.is_set():
                mark = f"{self.run_id}-{number}-{made}"
                made += 1
                self.tried.add(mark)
                document = session_input(self.world, mark)
                while True:
                    client = client or self.service.client(self.world["token"], 20)
                    try:
                        answer = client.ask(LOG_SESSION, {"input": document}, key=mark)
                    except OSError:
                        client = None
                        answer = None
                    if answer is not None and answer.done:
                        self.acknowledged.add(mark, answer.data["logSession"]["session"]["id"])
                        break
                    if answer is not None and answer.codes != ["UNAVAILABLE"]:
                        raise Broken(f"an answer that is neither done nor UNAVAILABLE: {answer.status} {answer.body[:300]!r}")
                    self.refusals += 1
                    if self.stopping.is_set():
                        return
                    time.sleep(0.1)
                if self.pause:
                    time.sleep(self.pause)
        except Exception as error:  # told by `stop`
            self.faults.append(error)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=60)
            check(not thread.is_alive(), "a client hangs: it got no answer and no end")
        if self.faults:
            raise self.faults[0]


def whole_or_not(sql, acknowledged, tried):
    """Nothing acknowledged is missing, nothing is there twice, and what is there is there with all its parts."""
    rows = sql.rows(
        "SELECT s.note, s.id, (SELECT count(*) FROM session_area a WHERE a.session_id = s.id), "
        "(SELECT count(*) FROM ledger l WHERE l.record_id = s.id AND l.action = 'create') FROM treatment_session s")
    marks = [row[0] for row in rows]
    twice = {mark for mark in marks if marks.count(mark) > 1} if len(marks) != len(set(marks)) else set()
    check(not twice, f"there twice: {sorted(twice)[:5]}")
    missing = set(acknowledged.marks) - set(marks)
    check(not missing, f"acknowledged and lost: {sorted(missing)[:5]} and {len(missing)} in all")
    strange = set(marks) - set(tried)
    check(not strange, f"there and never sent: {sorted(strange)[:5]}")
    parts = [row for row in rows if row[2] != "2" or row[3] != "1"]
    check(not parts, f"not whole (areas, ledger entries): {parts[:3]}")
    orphans = sql.one("SELECT count(*) FROM session_area a WHERE NOT EXISTS (SELECT FROM treatment_session s WHERE s.id = a.session_id)")
    check(orphans == "0", f"{orphans} areas of no session")
    return len(rows)


def settled(sql):
    """No connection of the service is left with an open transaction or a running statement."""
    busy = ("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clinic' AND state <> 'idle'")
    until("every connection at rest", lambda: sql.one(busy) == "0", within=15)


def main(fault):
    """Runs one fault by itself: bounded, or long with --long."""
    long = "--long" in sys.argv[1:]
    try:
        told = fault(long)
        print(f"    {told}" if told else "    held", flush=True)
    except Skipped as why:
        print(f"    skipped: {why}", flush=True)
        sys.exit(77)
    except Broken as why:
        print(f"    BROKEN: {why}", flush=True)
        sys.exit(1)
    finally:
        clear_up()
