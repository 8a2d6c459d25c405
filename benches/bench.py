#!/usr/bin/env python3
"""The service beside pgbench, on the same Postgres, in the same run.

What pgbench runs is not written by hand: each request is sent once while Postgres logs its statements, and the logged
transaction (BEGIN, SET LOCAL, the look-up of the token, the work, COMMIT) becomes pgbench's script. So both sides do the
same SQL, with row-level security and the ledger on. The service also writes its access log, which pgbench need not.

Rounds alternate between the two, so that what else the machine does falls on both; the median counts.
"""
import argparse, base64, copy, glob, hashlib, hmac, json, os, re, signal, statistics, subprocess, sys, tempfile, time
import urllib.parse, urllib.request

VARIANTS = 32  # different patients and pages for each request

PAGE = """query Page($after: String) { patients(first: 20, after: $after) { edges { node {
  id chartNumber displayName birthDate fitzpatrickType status
  sessions(first: 3) { edges { node { id startedAt endedAt status modality painScore practitioner { id displayName } } } }
} } pageInfo { hasNextPage endCursor } } }"""
CHART = "query Chart($id: ID!) { patient(id: $id) { id chartNumber displayName birthDate email phone fitzpatrickType status version } }"
FULL = """query Full($id: ID!) { patient(id: $id) { displayName birthDate fitzpatrickType
  sessions(first: 5) { edges { node { startedAt status practitioner { displayName } areas { area needleDepthMm passes }
    aftercareNotes(first: 3) { edges { node { kind text } } } } } } } }"""
ACCESS_LOG = "access-log"
LOG = """mutation Log($input: LogSessionInput!) { logSession(input: $input) { session { id version } } }"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


class Service:
    """The built program on a data folder of its own."""

    def __init__(self, binary, folder, pool):
        self.binary, self.folder, self.pool = binary, folder, pool
        self.password = "bench bench bench"
        self.start()

    def start(self):
        self.launch("--demo", "--data-dir", self.folder)
        self.token = None
        answer = self.ask("mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { token } }",
                          {"e": "practitioner@demo.clinic", "p": self.password})
        self.token = answer["signIn"]["token"]

    def beside(self, without_access_log):
        """A second one on the same Postgres."""
        other = copy.copy(self)
        other.launch("--data-dir", tempfile.mkdtemp(), "--key-dir", os.path.join(self.folder, "keys"),
                     "--object-store", os.path.join(self.folder, "objects"), DATABASE_URL=Database(self.folder).url(),
                     **({"CLINIC_UNSAFE_NO_ACCESS_LOG": "true"} if without_access_log else {}))
        return other

    def launch(self, *flags, **settings):
        environment = dict(os.environ, CLINIC_DEMO_PASSWORD=self.password, CLINIC_LOG="warn", CLINIC_SIGN_IN_IDLE="12h",
                           CLINIC_RATE_LIMIT_ACCOUNT="0", CLINIC_RATE_LIMIT_ADDRESS="0")
        environment.pop("DATABASE_URL", None)
        self.process = subprocess.Popen(
            [self.binary, "serve", *flags, "--listen", "127.0.0.1:0", "--pool-size", str(self.pool)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment | settings)
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+/graphql", line)
        if not found:
            sys.exit("the service did not start: run it by hand with --data-dir " + self.folder)
        self.url = found.group(0)

    def ask(self, query, variables=None):
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = "Bearer " + self.token
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers)) as answer:
            answer = json.load(answer)
        if answer.get("errors"):
            sys.exit(f"a query failed: {answer['errors'][0]['message']}")
        return answer["data"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Database:
    """The service's own Postgres, reached beside it."""

    def __init__(self, folder):
        with open(os.path.join(folder, "postgres/data/postmaster.pid")) as file:
            lines = file.read().split("\n")
        self.port, self.host = lines[3], lines[4]
        self.log = os.path.join(folder, "postgres/server.log")
        with open(os.path.join(folder, "passwords")) as file:
            self.passwords = dict(line.strip().split("=", 1) for line in file if "=" in line)
        digest = hmac.new(self.passwords["clinic_owner"].encode(), b"clinic application role", hashlib.sha256).digest()
        self.passwords["clinic_app"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def url(self):
        """As the role that owns the tables."""
        user = f"clinic_owner:{self.passwords['clinic_owner']}"
        return f"postgres://{user}@/clinic?host={urllib.parse.quote(self.host, safe='')}&port={self.port}"

    def environment(self, role):
        return dict(os.environ, PGHOST=self.host, PGPORT=self.port, PGUSER=role, PGPASSWORD=self.passwords[role],
                    PGDATABASE="clinic", PGOPTIONS="-c plan_cache_mode=force_generic_plan -c jit=off")

    def superuser(self, statement):
        return run("psql", "-Atc", statement, env=self.environment("postgres"))

    def log_statements(self, on):
        """For connections opened from now on."""
        for name, value in (("log_statement", "all"), ("log_error_verbosity", "default"), ("log_parameter_max_length", "-1")):
            self.superuser(f"ALTER ROLE clinic_app SET {name} = '{value}'" if on else f"ALTER ROLE clinic_app RESET {name}")


def captured(database, act):
    """The statements of what `act` makes the service do, as the log has them: of the connection that did the work."""
    before = os.path.getsize(database.log)
    act()
    time.sleep(0.15)
    with open(database.log, "rb") as file:
        file.seek(before)
        text = file.read().decode()
    entries = re.split(r"(?m)^(?=\S+ \S+ UTC \[\d+\] )", text)
    by_process = {}
    for entry in entries:
        found = re.match(r"\S+ \S+ UTC \[(\d+)\] (LOG|DETAIL):\s+(.*)", entry, re.S)
        if not found:
            continue
        process, kind, rest = found.group(1), found.group(2), found.group(3).strip().replace("\n\t", "\n")
        statements = by_process.setdefault(process, [])
        if kind == "LOG":
            found = re.match(r"(?:statement|execute [^:]*): (.*)", rest, re.S)
            if found:
                statements.append(found.group(1))
        elif rest.startswith("parameters: ") and statements:
            values = dict(re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", rest))
            statements[-1] = re.sub(r"\$(\d+)", lambda place: values[place.group(1)], statements[-1])
    work = [found for found in by_process.values() if any("FROM sign_in i" in statement for statement in found)]
    if len(work) != 1 or "COMMIT" not in work[0]:
        sys.exit("the log does not hold one whole transaction: is something else using the service?")
    # The access log may be written on the same connection afterwards.
    return work[0][: work[0].index("COMMIT") + 1]


def script(statements, fresh=()):
    """A pgbench script; ids that must be new each time become expressions of a random number."""
    lines = []
    for number, _ in enumerate(fresh):
        lines.append(f"\\set fresh{number} random(1, 281474976710655)")
    made = {value: f"('018f0000-0000-7000-8000-' || lpad(to_hex(:fresh{number}::int8), 12, '0'))"
            for number, value in enumerate(fresh)}

    def renewed(literal):
        """A literal with the fresh ids in it cut out and made anew: an id alone, or ids inside JSON."""
        text = literal.group(1)
        if text in made:
            return f"{made[text]}::uuid"
        if not text.startswith("[") or not any(value in text for value in made):
            return literal.group(0)
        for value, expression in made.items():
            text = text.replace(value, f"' || {expression} || '")
        return f"('{text}')::json"

    for statement in statements:
        statement = re.sub(r"'((?:[^']|'')*)'", renewed, " ".join(statement.split()))
        # pgbench takes a colon before a letter for a variable, inside literals too.
        lines.append(re.sub(r'":(?=[A-Za-z_])', '": ', statement).rstrip(";") + ";")
    return "\n".join(lines) + "\n"


def wrk(url, token, bodies, seconds, clients, folder):
    path = os.path.join(folder, "load.lua")
    with open(path, "w") as file:
        file.write("local bodies = {}\n")
        for body in bodies:
            file.write(f"bodies[#bodies + 1] = {json.dumps(body)}\n")
        file.write("""
local n = math.random(#bodies)
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer %s"
request = function() n = n %% #bodies + 1 return wrk.format(nil, nil, nil, bodies[n]) end
local wrong = 0
response = function(status, headers, body) if status ~= 200 or body:find('"errors"', 1, true) then wrong = wrong + 1 end
  if wrong == 1 then io.stderr:write(body .. "\\n") wrong = 2 end end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %%f %%f %%f %%d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.errors.status + summary.errors.timeout))
end
""" % token)
    done = subprocess.run(["wrk", "-t2", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", path, url],
                          check=True, capture_output=True, text=True)
    if done.stderr.strip():
        sys.exit("the service answered with an error: " + done.stderr.strip()[:300])
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout)
    return float(found.group(1)), float(found.group(2)), float(found.group(3))


def pgbench(database, scripts, seconds, clients, folder):
    for old in glob.glob(os.path.join(folder, "latency*")):
        os.remove(old)
    files = []
    for number, text in enumerate(scripts):
        path = os.path.join(folder, f"script{number}.sql")
        with open(path, "w") as file:
            file.write(text)
        files += ["-f", path]
    done = run(os.environ.get("PGBENCH", "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-l",
               "--log-prefix", os.path.join(folder, "latency"), *files, env=database.environment("clinic_app"))
    rate = float(re.search(r"tps = (\S+) \(without", done).group(1))
    times = []
    for path in glob.glob(os.path.join(folder, "latency*")):
        with open(path) as file:
            times += [int(line.split()[2]) for line in file]
    times.sort()
    return rate, times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--binary", default="target/release/clinic")
    options.add_argument("--data-dir", default=".clinic/bench")
    options.add_argument("--patients", type=int, default=100_000)
    options.add_argument("--seconds", type=int, default=6, help="of each measurement")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--pool", type=int, default=16)
    options.add_argument("--only", help="one of the requests, or access-log")
    options = options.parse_args()
    folder = os.path.abspath(options.data_dir)
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    subprocess.run([options.binary, "demo", "--patients", str(options.patients), "--data-dir", folder],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    service = Service(options.binary, folder, options.pool)
    try:
        database = Database(folder)
        if options.only == ACCESS_LOG:
            cost_of_access_log(options, service)
            return
        requests = choose(options, service)
        database.log_statements(True)
        service.stop()
        service.start()
        scripts = {name: capture(options, service, database, *request) for name, request in requests.items()}
        database.log_statements(False)
        service.stop()
        service.start()
        measure(options, service, database, requests, scripts)
        if not options.only:
            cost_of_access_log(options, service)
    finally:
        service.stop()


def choose(options, service):
    """The requests: each a query with the variables of its variants."""
    cursors, after = [], None
    for _ in range(VARIANTS):
        found = service.ask("query($a: String) { patients(first: 100, after: $a) { nodes { id } pageInfo { endCursor } } }", {"a": after})
        after = found["patients"]["pageInfo"]["endCursor"]
        cursors.append((after, found["patients"]["nodes"][0]["id"]))
    place = service.ask("{ organisation { locations(first: 1) { nodes { id } } } }")["organisation"]["locations"]["nodes"][0]["id"]
    session = {"locationId": place, "startedAt": "2026-01-10T10:00:00Z", "endedAt": "2026-01-10T11:00:00Z", "modality": "MICRONEEDLING",
               "device": {"model": "Pen", "kind": "MOTORISED_PEN"}, "painScore": 3, "note": "Well tolerated.",
               "areas": [{"area": "CHEEK", "needleDepthMm": "1.5", "passes": 3, "endpoint": "ERYTHEMA"},
                         {"area": "FOREHEAD", "needleDepthMm": "0.75", "passes": 2, "endpoint": "ERYTHEMA"}],
               "products": [{"role": "SERUM", "product": "Hyaluronic acid", "lot": "A1", "quantity": "2.5", "unit": "mL"}]}
    requests = {
        "page: 20 patients, 3 sessions each": (PAGE, [{"after": after} for after, _ in cursors]),
        "patient by id": (CHART, [{"id": patient} for _, patient in cursors]),
        "chart: 5 sessions, areas, notes": (FULL, [{"id": patient} for _, patient in cursors]),
        "logSession": (LOG, [{"input": dict(session, patientId=active)} for active in active_patients(service, cursors)]),
    }
    return {name: request for name, request in requests.items() if not options.only or options.only in name}


def active_patients(service, cursors):
    found = service.ask("query { patients(first: 100, filter: {status: [ACTIVE]}) { nodes { id } } }")["patients"]["nodes"]
    return [patient["id"] for patient in found][: len(cursors)]


def capture(options, service, database, query, variables):
    """The pgbench scripts of a request."""
    # Connections prepare a statement at its first use: what is captured comes after that.
    for _ in range(options.pool * 2):
        service.ask(query, variables[0])
    inserts = query is LOG
    scripts = []
    for one in variables[: 8 if inserts else VARIANTS]:
        statements = captured(database, lambda: service.ask(query, one))
        scripts.append(script(statements, fresh_ids(statements) if inserts else ()))
    return scripts


def measure(options, service, database, requests, scripts):
    print(f"{database.superuser('SELECT count(*) FROM patient').strip()} patients,",
          f"{database.superuser('SELECT count(*) FROM treatment_session').strip()} sessions,",
          f"{options.clients} clients, medians of {options.rounds} rounds of {options.seconds} s each\n")
    print(f"{'request':36} {'service/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'pgbench/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (query, variables) in requests.items():
            bodies = [json.dumps({"query": query, "variables": one}) for one in variables]
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(wrk(service.url, service.token, bodies, options.seconds, options.clients, folder))
                theirs.append(pgbench(database, scripts[name], options.seconds, options.clients, folder))
            middle = lambda rows, column: statistics.median(row[column] for row in rows)
            ratio = statistics.median(our[0] / their[0] for our, their in zip(ours, theirs))
            print(f"{name:36} {middle(ours, 0):10.0f} {middle(ours, 1):8.1f} {middle(ours, 2):8.1f}"
                  f" {middle(theirs, 0):10.0f} {middle(theirs, 1):8.1f} {middle(theirs, 2):8.1f} {ratio:6.0%}", flush=True)


def cost_of_access_log(options, service):
    """The same requests with a row for each look and without: two services on one Postgres, asked in turns of two seconds."""
    only, options.only = options.only, None
    requests = {name: request for name, request in choose(options, service).items() if request[0] is not LOG}
    options.only = only
    turns = max(4, options.rounds * options.seconds // 2)
    print(f"\n{ACCESS_LOG}: {options.clients} clients, medians of {turns} turns of 2 s each\n")
    print(f"{'request':36} {'with/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'without/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'cost':>7}")
    silent = service.beside(without_access_log=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name, (query, variables) in requests.items():
                bodies = [json.dumps({"query": query, "variables": one}) for one in variables]
                ask = lambda whom, seconds: wrk(whom.url, service.token, bodies, seconds, options.clients, folder)
                rows = {service: [], silent: []}
                for whom in rows:
                    ask(whom, 2)  # warms connections and plans
                for turn in range(turns):
                    for whom in (service, silent) if turn % 2 == 0 else (silent, service):
                        rows[whom].append(ask(whom, 2))
                middle = lambda whom, column: statistics.median(row[column] for row in rows[whom])
                ratio = statistics.median(one[0] / other[0] for one, other in zip(rows[service], rows[silent]))
                figures = (f"{middle(whom, 0):10.0f} {middle(whom, 1):8.1f} {middle(whom, 2):8.1f}" for whom in rows)
                print(f"{name:36} {' '.join(figures)} {1 - ratio:6.0%}", flush=True)
    finally:
        silent.stop()


def fresh_ids(statements):
    """The ids that the insert made: the session's, its areas' and its products'."""
    insert = next(statement for statement in statements if 'INTO "treatment_session"' in statement or "INTO treatment_session" in statement)
    session = re.findall(r"'([0-9a-f]{8}-[0-9a-f-]{27})'", insert)[1]
    parts = [found for statement in statements if "json_to_recordset" in statement for found in re.findall(r'"id": ?"([0-9a-f-]{36})"', statement)]
    return [session, *parts]


if __name__ == "__main__":
    main()
