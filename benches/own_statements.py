"""pgbench's scripts of the service's own SQL, taken from Postgres' log.

Each request is sent once while Postgres logs its statements, and the logged transaction (BEGIN, SET LOCAL, the look-up of the
token, the work, COMMIT) becomes a script. What this shows is how much the service adds to its SQL, not whether the SQL is good.
"""
import os, re, sys, time

# pgbench prepares the statements of each script anew on each connection: many scripts would measure the planner. An insert has
# more than one, so that not all clients write to one patient.
READS, INSERTS = 1, 8


def scripts_of(question, service, database):
    """The scripts of a question's variants; needs `database.log_statements(True)` before the service starts."""
    # Connections prepare a statement at its first use: what is captured comes after that.
    for _ in range(service.pool * 2):
        service.ask(question.document, question.variables[0])
    scripts = []
    for variables in question.variables[: INSERTS if question.inserts else READS]:
        statements = captured(database, lambda: service.ask(question.document, variables))
        scripts.append(script(statements, fresh_ids(statements) if question.inserts else ()))
    return scripts


def captured(database, act):
    """The statements of what `act` makes the service do, as the log has them: of the connection that did the work."""
    before = os.path.getsize(database.log)
    act()
    time.sleep(0.15)
    with open(database.log, "rb") as file:
        file.seek(before)
        text = file.read().decode()
    work = [found for found in by_connection(text).values() if any("FROM sign_in i" in statement for statement in found)]
    if len(work) != 1 or "COMMIT" not in work[0]:
        sys.exit("the log does not hold one whole transaction: is something else using the service?")
    # The access log may be written on the same connection afterwards.
    return work[0][: work[0].index("COMMIT") + 1]


def by_connection(text):
    """The statements of a piece of the log, by the process that ran them, with their values put in."""
    by_process = {}
    for entry in re.split(r"(?m)^(?=\S+ \S+ UTC \[\d+\] )", text):
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
    return by_process


def fresh_ids(statements):
    """The ids that the insert made: the session's, its areas' and its products'."""
    insert = next(statement for statement in statements if 'INTO "treatment_session"' in statement or "INTO treatment_session" in statement)
    session = re.findall(r"'([0-9a-f]{8}-[0-9a-f-]{27})'", insert)[1]
    parts = [found for statement in statements if "json_to_recordset" in statement for found in re.findall(r'"id": ?"([0-9a-f-]{36})"', statement)]
    return [session, *parts]


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
