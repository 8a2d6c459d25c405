"""How long a search takes among a million patients, one after the other, and how large what is searched is.

The patients are those of the demo over and over, with names of one and another, numbers of their own, and no charts: the
program itself then writes what they are found by. The times are of whole requests, sign-in and access log among them."""
import http.client, json, os, random, statistics, subprocess, time, urllib.parse

from database import Database
from service import Service

NAME = "search"
FOUNDED = 2_000  # patients of the demo that the others are made of
GOAL, GOAL_OF_EXACT, GOAL_BYTES = 50, 10, 2_000
SEARCH = "query ($s: String!) { patients(search: $s, first: 20) { nodes { id displayName chartNumber birthDate phone } } }"
FILTER = "query ($f: PatientFilter!) { patients(filter: $f, first: 20) { nodes { id displayName chartNumber birthDate phone } } }"

# Families and given names of two patients of the demo, whom a multiplication by a prime brings together.
MULTIPLY = """
CREATE TEMPORARY TABLE was ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY chart_number) - 1 AS n, p.* FROM patient p;
CREATE UNIQUE INDEX ON was (n);
ANALYZE was;
ALTER TABLE patient_search DISABLE TRIGGER ALL;
INSERT INTO patient SELECT (p).* FROM (
    SELECT jsonb_populate_record(NULL::patient, to_jsonb(a) || jsonb_build_object('id', gen_random_uuid(), 'chart_number', 'P-' || 1000000 + i,
        'given_name', b.given_name, 'name_key', '', 'birth_date', date '1940-01-01' + (i * 7919 % 25000)::int,
        'phone', '+44770' || lpad((i * 7919 % 10000000)::text, 7, '0'), 'email', 'p' || i || '@' || split_part(a.email, '@', 2))) AS p
    FROM generate_series(1::bigint, {more}) AS i JOIN was a ON a.n = i % {founded} JOIN was b ON b.n = i * 104729 % {founded}) AS made;
COMMENT ON TABLE patient_search IS 'folded 0';
"""


def measure(options):
    folder = os.path.abspath(options.data_dir) + "-search"
    service = prepare(options, folder)
    try:
        database = Database(folder)
        people = database.rows("SELECT chart_number, given_name, family_name, phone, email FROM patient WHERE email IS NOT NULL "
                               "AND family_name IS NOT NULL AND phone IS NOT NULL ORDER BY id LIMIT 5000")
        size(database)
        dice = random.Random(1)
        print(f"\n{'search of':28} {'p50 ms':>8} {'p95 ms':>8} {'goal':>6}")
        for what, goal, ask in questions():
            times = [took(service, *ask(*dice.choice(people), dice)) for _ in range(options.searches)]
            print(f"{what:28} {statistics.median(times):8.1f} {statistics.quantiles(times, n=20)[-1]:8.1f} {goal:6}", flush=True)
    finally:
        service.stop()


def prepare(options, folder):
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    subprocess.run([options.clinic, "demo", "--patients", str(FOUNDED), "--data-dir", folder], check=True, env=environment,
                   stdout=subprocess.DEVNULL)
    service = Service(options.clinic, folder, options.pool)
    database = Database(folder)
    there = int(database.superuser("SELECT count(*) FROM patient"))
    if there >= options.searched:
        return service
    print(f"writing {options.searched - there} more patients", flush=True)
    database.superuser("BEGIN;" + MULTIPLY.format(more=options.searched - there, founded=there) + "COMMIT")
    service.stop()
    began = time.time()
    service = Service(options.clinic, folder, options.pool)
    print(f"what they are found by was written in {time.time() - began:.0f} s", flush=True)
    Database(folder).tidy()
    return service


def size(database):
    size = "SELECT (pg_total_relation_size('patient_search') + pg_total_relation_size('name_piece')) / count(*), count(*) FROM patient"
    [[each, patients]] = database.rows(size)
    print(f"{patients} patients; what is searched takes {each} bytes of each; the goal is at most {GOAL_BYTES}", flush=True)


def misspelt(word, dice):
    """A letter left out, but for the first."""
    at = dice.randrange(1, len(word)) if len(word) > 3 else len(word)
    return word[:at] + word[at + 1:]


def questions():
    def text(make):
        return lambda chart, given, family, phone, email, dice: (SEARCH, {"s": make(chart, given, family, phone, email, dice)})

    return [
        ("a chart number", GOAL_OF_EXACT, text(lambda chart, *_: chart)),
        ("a phone", GOAL_OF_EXACT, text(lambda chart, given, family, phone, *_: phone)),
        ("an e-mail", GOAL_OF_EXACT, text(lambda chart, given, family, phone, email, dice: email)),
        ("a chart number, by filter", GOAL_OF_EXACT, lambda chart, *_: (FILTER, {"f": {"chartNumber": chart}})),
        ("the last digits of a phone", GOAL, text(lambda chart, given, family, phone, *_: phone[-6:])),
        ("a family name", GOAL, text(lambda chart, given, family, *_: family)),
        ("given and family name", GOAL, text(lambda chart, given, family, *_: f"{given} {family}")),
        ("the start of a name", GOAL, text(lambda chart, given, family, phone, email, dice: family[:dice.randint(2, 4)])),
        ("the starts of two", GOAL, text(lambda chart, given, family, *_: f"{given[:3]} {family[:3]}")),
        ("a misspelt name", GOAL, text(lambda chart, given, family, phone, email, dice: f"{given} {misspelt(family, dice)}")),
        ("two misspelt names", GOAL, text(lambda chart, given, family, phone, email, dice: f"{misspelt(given, dice)} {misspelt(family, dice)}")),
    ]


CONNECTION = {}


def took(service, document, variables):
    """Milliseconds of one request, on a connection that stays open."""
    address = urllib.parse.urlsplit(service.url).netloc
    if address not in CONNECTION:
        CONNECTION[address] = http.client.HTTPConnection(address)
    connection = CONNECTION[address]
    body = json.dumps({"query": document, "variables": variables})
    began = time.perf_counter()
    connection.request("POST", "/graphql", body, {"content-type": "application/json", "authorization": "Bearer " + service.token})
    answer = json.load(connection.getresponse())
    elapsed = (time.perf_counter() - began) * 1000
    if answer.get("errors"):
        raise SystemExit(f"a search was refused: {answer['errors'][0]['message']}")
    return elapsed
