"""Malformed requests from a seeded generator, over raw sockets: 3,000, or 100,000 with --long.

What counts as good:
- A request that is whole by HTTP gets exactly one valid HTTP answer with a status below 500, whatever is in it.
- A head that is no HTTP gets 400 (or 408, 413, 414, 431, 501, 505), or a clean close where HTTP lets a server close.
- A client that closes its sending half after a whole request still gets the answer.
- A client that stops in the middle (slow, cut) gets 408 or 400 within the limit for bodies (10 s), or a close; never silence
  for longer, and nobody else waits for it.
- Afterwards the same process lives, no panic is in the log, its memory has grown by less than 256 MiB (512 with --long), and
  a set of good requests takes less than 4 times as long as before.
"""
import random, select, socket, statistics, struct, threading, time
from collections import Counter
from harness import *

SEED = 20260101
GOOD = "query ($n: Int) { patients(first: $n) { nodes { displayName chartNumber } } me { id } }"
# Statuses that a server may answer a bad head with.
HEAD = {400, 408, 411, 413, 414, 417, 431, 501, 505}


class Case:
    """Bytes to send, in parts with pauses, and what may come of it."""

    def __init__(self, kind, *parts, pause=0.0, half=False, cut=False, head=False, wait=15.0):
        self.kind, self.parts, self.pause, self.half, self.cut, self.head, self.wait = kind, parts, pause, half, cut, head, wait


def post(body, token=None, path="/graphql", method="POST", headers=(), length=None, content_type="application/json", close=True):
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: clinic", b"Accept: application/graphql-response+json"]
    if content_type:
        lines.append(b"Content-Type: " + content_type.encode())
    if token:
        lines.append(b"Authorization: Bearer " + token.encode())
    lines += [header if isinstance(header, bytes) else header.encode("latin-1", "replace") for header in headers]
    if length is not False:
        lines.append(b"Content-Length: " + str(len(body) if length is None else length).encode())
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def asked(query, variables=None, **more):
    return json.dumps({"query": query, "variables": variables or {}, **more})


class Generator:
    def __init__(self, world, seed):
        self.world, self.chance, self.token = world, random.Random(seed), world["token"]
        self.documents = [
            GOOD, "{ me { id role } }", "query A { organisation { name } } query B { me { id } }",
            "query ($id: ID!) { patient(id: $id) { displayName ...on Patient { sessions(first: 2) { nodes { note areas { area } } } } } }",
            "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
            "fragment f on Patient { id } { patients { nodes { ...f } } }",
            "{ __schema { types { name fields { name } } } }",
        ]

    def junk(self, most):
        return bytes(self.chance.randrange(256) for _ in range(self.chance.randrange(1, most)))

    def whom(self):
        return self.token if self.chance.random() < 0.7 else None

    def value(self, depth=0):
        """Any JSON value."""
        pick = self.chance.randrange(12 if depth < 4 else 9)
        odd = ["", "\0", "a\0b", "\ud800", "\u202e", "é" * 300, "x" * 5000, "-1", "9999-99-99", "patient_" + "z" * 26, "'; DROP TABLE patient; --",
               "0001-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "1e999", "${x}", "../../etc/passwd"]
        if pick < 4:
            return self.chance.choice(odd)
        if pick < 7:
            return self.chance.choice([0, -1, 1 << 31, 1 << 63, -(1 << 63), 1 << 64, 1e308, -0.0, 0.1, 10 ** 400])
        if pick < 9:
            return self.chance.choice([None, True, False, [], {}])
        if pick < 10:
            return [self.value(depth + 1) for _ in range(self.chance.randrange(6))]
        return {self.chance.choice(["id", "legalName", "given", "birthDate", "patch", "areas", "x", "", "\0"]): self.value(depth + 1) for _ in range(self.chance.randrange(6))}

    def case(self):
        kinds = [name for name in dir(self) if name.startswith("make_")]
        name = self.chance.choice(kinds)
        return getattr(self, name)(name[5:])

    # --- bodies ---
    def make_cut_body(self, kind):
        whole = post(asked(self.chance.choice(self.documents)), self.whom())
        return Case(kind, whole[:self.chance.randrange(1, len(whole))], half=True, cut=True, head=True)

    def make_cut_and_whole_length(self, kind):
        body = asked(self.chance.choice(self.documents))
        return Case(kind, post(body[:self.chance.randrange(len(body))], self.whom()))

    def make_oversized(self, kind):
        body = asked("{ me { id } }", {"x": "y" * self.chance.choice([1 << 20, 1 << 21, (1 << 20) - 30])})
        return Case(kind, post(body, self.whom()), cut=True)

    def make_oversized_declared(self, kind):
        return Case(kind, post("{}", self.whom(), length=self.chance.choice([1 << 20 | 1, 1 << 31, 1 << 40, (1 << 64) - 1])), half=True, cut=True, head=True)

    def make_deep_json(self, kind):
        many = self.chance.choice([50, 200, 5000, 100_000])
        opening, closing = self.chance.choice([("[", "]"), ('{"a":', "}")])
        return Case(kind, post('{"query": "{ me { id } }", "variables": {"x": ' + opening * many + "1" + closing * many + "}}", self.whom()))

    def make_deep_query(self, kind):
        many = self.chance.choice([10, 40, 300, 5000])
        return Case(kind, post(asked("{" + "me {" * many + "id" + "}" * many + "}"), self.whom()))

    def make_deep_value(self, kind):
        many = self.chance.choice([40, 500, 4000])
        return Case(kind, post(asked("{ nodes(ids: " + "[" * many + "]" * many + ") { id } }"), self.whom()))

    def make_fragment_bomb(self, kind):
        many, wide = self.chance.choice([5, 25, 200]), self.chance.choice([2, 3, 8])
        text = "{ ...f0 }" + "".join(f" fragment f{i} on Query {{ {f'...f{i + 1} ' * wide}}}" for i in range(many)) + f" fragment f{many} on Query {{ me {{ id }} }}"
        return Case(kind, post(asked(text), self.whom()))

    def make_fragment_circle(self, kind):
        many = self.chance.randrange(1, 30)
        text = "{ ...f0 }" + "".join(f" fragment f{i} on Query {{ ...f{(i + 1) % many} }}" for i in range(many))
        return Case(kind, post(asked(text), self.whom()))

    def make_alias_flood(self, kind):
        many = self.chance.choice([20, 101, 2000, 8000])
        return Case(kind, post(asked("{ " + " ".join(f"a{i}: __typename" for i in range(many)) + " }"), self.whom()))

    def make_directive_flood(self, kind):
        return Case(kind, post(asked("{ __typename " + "@include(if: true) " * self.chance.choice([10, 60, 2000]) + "}"), self.whom()))

    def make_batch(self, kind):
        one = {"query": self.chance.choice(self.documents)}
        return Case(kind, post(json.dumps([self.chance.choice([one, {}, [], 1, None]) for _ in range(self.chance.choice([0, 1, 3, 5, 6, 3000]))]), self.whom()))

    def make_wrong_types(self, kind):
        body = {"query": self.value(), "variables": self.value(), "operationName": self.value(), "extensions": self.value()}
        for name in list(body):
            if self.chance.random() < 0.4:
                body[name] = {"query": GOOD, "variables": {"n": self.value()}, "operationName": None, "extensions": {}}[name]
        return Case(kind, post(json.dumps(body), self.whom()))

    def make_wrong_variables(self, kind):
        query = self.chance.choice([
            (GOOD, "n"), ("query ($id: ID!) { patient(id: $id) { id } }", "id"), ("query ($s: String) { patients(search: $s) { totalCount } }", "s"),
            ("query ($a: String) { patients(after: $a) { totalCount } }", "a"), ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "ids"),
            ("mutation ($i: RegisterPatientInput!) { registerPatient(input: $i) { patient { id } } }", "i"),
            ("mutation ($i: LogSessionInput!) { logSession(input: $i) { session { id } } }", "i"),
            ("query ($t: DateTime!, $id: ID!) { patient(id: $id) { chartAsOf(at: $t) { id } } }", "t")])
        return Case(kind, post(asked(query[0], {query[1]: self.value()}), self.token))

    def make_bad_input(self, kind):
        made = session_input(self.world, "malformed")
        for _ in range(self.chance.randrange(1, 4)):
            made[self.chance.choice(list(made))] = self.value()
        return Case(kind, post(asked(LOG_SESSION, {"input": made}), self.token))

    def make_nul_and_utf8(self, kind):
        body = bytearray(asked(self.chance.choice(self.documents)).encode())
        for _ in range(self.chance.randrange(1, 6)):
            body[self.chance.randrange(len(body)):][:0] = b""
            place = self.chance.randrange(len(body))
            body[place:place + self.chance.randrange(2)] = self.chance.choice([b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\\u0000", b"\xe2\x80"])
        return Case(kind, post(bytes(body), self.whom()))

    def make_mutated_document(self, kind):
        text = list(self.chance.choice(self.documents))
        for _ in range(self.chance.randrange(1, 8)):
            place = self.chance.randrange(len(text))
            text[place:place + self.chance.randrange(3)] = self.chance.choice(['"', '"""', "{", "}", "...", "@", "$", "!", "[", "\\", "#", "&", "\ufeff", "0x", "1.", "-", "é", "\u2028", "on", "null", '"\\uD800"', "&&", " " * 200])
        return Case(kind, post(asked("".join(text)), self.whom()))

    def make_junk_body(self, kind):
        return Case(kind, post(self.junk(3000), self.whom()))

    def make_numbers(self, kind):
        number = self.chance.choice(["1e400", "-1e400", "00", "1.", ".5", "0x10", "NaN", "Infinity", "9" * 5000, "1e-999999"])
        return Case(kind, post('{"query": "{ patients(first: %s) { totalCount } }", "variables": {"n": %s}}' % (number, number), self.whom()))

    def make_content_type(self, kind):
        types = ["text/plain", "application/graphql", "multipart/form-data; boundary=" + "x" * 500, "application/json; charset=utf-7", "\xff", "application/json" * 50, "", "*/*"]
        return Case(kind, post(asked(GOOD), self.whom(), content_type=self.chance.choice(types), headers=self.chance.choice([(), ["Content-Encoding: gzip"], ["Content-Encoding: br, br"]])))

    # --- heads ---
    def make_headers(self, kind):
        odd = [b"Authorization: Bearer " + b"x" * 600, b"Authorization: Bearer", b"Authorization: Basic eHg6eHg=", b"Idempotency-Key: " + b"k" * 300, b"Idempotency-Key: \xff",
               b"X-Request-Id: <script>", b"Access-Reason: \xff\xfe", b"Access-Reason: ab", b"Accept: " + b"a/b," * 500, b"Accept: \xff", b"Accept-Encoding: \xff, gzip;q=x",
               b"Origin: null", b"Origin: " + b"o" * 1000, b"X-Forwarded-For: " + b"1," * 500, b"Cookie: " + b"c" * 4000, b"Range: bytes=0-,1-", b"TE: trailers", b"Upgrade: h2c\r\nHTTP2-Settings: x", b"Expect: 200-maybe"]
        return Case(kind, post(asked(GOOD), headers=self.chance.sample(odd, 2)), head=True)

    def make_many_headers(self, kind):
        many = self.chance.choice([50, 97, 120, 1000])
        return Case(kind, post(asked(GOOD), self.whom(), headers=[f"X-H{i}: {i}" for i in range(many)]), head=True)

    def make_long_head(self, kind):
        return Case(kind, post("{}", headers=[b"X-Long: " + b"l" * self.chance.choice([8000, 70_000, 300_000])]), head=True, cut=True)

    def make_junk_head(self, kind):
        return Case(kind, self.junk(400) + b"\r\n\r\n", half=True, head=True, cut=True)

    def make_bad_head(self, kind):
        heads = [b"GET /graphql\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n", b"\r\n\r\n\r\n", b"POST /graphql HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
                 b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n"]
        return Case(kind, self.chance.choice(heads), half=True, head=True, cut=True)

    def make_chunks(self, kind):
        bodies = [b"5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\nx", b"zz\r\n\r\n", b"-1\r\n\r\n", b"5;x=y\r\n{\"a\":\r\n0\r\n\r\n", b"1\r\n{\r\n" * 200 + b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"5\r\nhel"]
        head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        return Case(kind, head + self.chance.choice(bodies), half=True, head=True, cut=True)

    # --- paths ---
    def make_paths(self, kind):
        paths = ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/photos/../graphql", "/photos/%00", "/photos/" + "a" * 7000, "/photos/upload/%ff%fe", "/photos//", "//graphql", "/graphql/", "/graphql;x=y",
                 "/GRAPHQL", "/%67raphql", "/health/../graphql", "/photos/%2e%2e%2fobjects%2fsecret", "/photos/..%5c..%5c", "/*", "/health/live%00", "/.git/config", "/photos/upload/" + "%41" * 200, "/?" + "a=b&" * 2000]
        method = self.chance.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
        return Case(kind, post("" if method in ("GET", "HEAD") else "x", self.whom(), path=self.chance.choice(paths), method=method), head=True)

    def make_query_string(self, kind):
        texts = ["query=%7B__typename%7D&variables=" + "%5B" * 3000, "query=%FF%FE", "query=%7B__typename%7D&query=x", "variables=1", "query=" + "%7B" * 5000, "query=%00", "query=mutation%7BsignOut%7BsignedOut%7D%7D", "=&=&&=", "query=%", "query=%7Bme%7Bid%7D%7D&operationName=%00"]
        return Case(kind, post("", self.whom(), path="/graphql?" + self.chance.choice(texts), method="GET", length=False, content_type=None))

    def make_ids_and_cursors(self, kind):
        texts = ["patient_", "patient_" + "0" * 26, "patient_8" + "0" * 25, "_" * 40, "staff_" + "z" * 26, "\0", "é" * 26, base64.urlsafe_b64encode(self.junk(60)).decode(),
                 base64.urlsafe_b64encode(json.dumps([self.chance.choice(["", "name", "x"]), {"Time": 1 << 62}, "x"]).encode()).decode(),
                 base64.urlsafe_b64encode(b'["chartNumber asc",{"Text":"\\u0000"},"00000000-0000-0000-0000-000000000000"]').decode()]
        query = self.chance.choice(["query ($x: ID!) { node(id: $x) { id } }", "query ($x: ID!) { patient(id: $x) { id } }", "query ($x: String) { patients(first: 2, after: $x) { nodes { id } } }",
                                    "query ($x: String) { patients(last: 2, before: $x) { nodes { id } } }"])
        return Case(kind, post(asked(query, {"x": self.chance.choice(texts)}), self.token))

    # --- pace ---
    def make_half_closed(self, kind):
        return Case(kind, post(asked("{ me { id } }"), self.whom()), half=True)

    def make_reset(self, kind):
        return Case(kind, post(asked(GOOD), self.whom()), cut=True, head=True, wait=-1)

    def make_slow(self, kind):
        whole = post(asked("{ me { id } }"), self.whom())
        places = sorted(self.chance.randrange(1, len(whole)) for _ in range(4))
        parts = [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)])]
        return Case(kind, *parts, pause=self.chance.random() * 0.1)

    def make_pipelined(self, kind):
        one = post(asked("{ me { id } }"), self.whom(), close=False)
        return Case(kind, one * self.chance.randrange(2, 12) + post(asked("{ me { id } }"), self.whom()))


def exchange(address, case):
    """Sends it and reads to the end: the statuses, in order; -1 for a close without an answer; an error as text."""
    try:
        wire = socket.create_connection(address, timeout=case.wait if case.wait > 0 else 15)
    except OSError as error:
        return [], f"no connection: {error}"
    with wire:
        try:
            for part in case.parts:
                wire.sendall(part)
                if case.pause:
                    time.sleep(case.pause)
            if case.half:
                wire.shutdown(socket.SHUT_WR)
        except OSError as error:
            # It may close on what it refuses before all of it is sent; what it said can be read still.
            if not case.cut:
                return [], f"cut off while sending: {error}"
        if case.wait < 0:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return [-1], None
        got = b""
        try:
            while len(got) < 8 << 20:
                part = wire.recv(65536)
                if not part:
                    break
                got += part
                # An answer that leaves the connection open.
                if not case.half and b"\r\n\r\n" in got and not wanted_more(got, case):
                    break
        except socket.timeout:
            return [], f"silence for {case.wait:g} s after {len(got)} bytes"
        except OSError as error:
            if not got and not case.cut:
                return [], f"dropped: {error}"
    return statuses(got), None


def wanted_more(got, case):
    return True


def statuses(got):
    found, place = [], 0
    while got[place:place + 5] == b"HTTP/":
        line = got[place:got.find(b"\r\n", place)]
        parts = line.split(b" ", 2)
        if len(parts) < 2 or not parts[1].isdigit():
            return [*found, 999]
        status = int(parts[1])
        end = got.find(b"\r\n\r\n", place)
        if end < 0:
            return [*found, 999]
        head = got[place:end].lower()
        place = end + 4
        length = [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
        chunked = b"transfer-encoding: chunked" in head
        if status == 100:
            continue
        found.append(status)
        if chunked:
            ended = got.find(b"0\r\n\r\n", place)
            place = ended + 5 if ended >= 0 else len(got)
        elif length and status != 304:
            # An answer to HEAD has a length and no body.
            place = place if got[place + int(length[0]):] == b"" and got[place:] == b"" else place + int(length[0])
    return found or [-1]


def judge(case, found, error):
    """What is wrong with an outcome, or None."""
    if error:
        return error
    if any(status >= 500 and not (case.head and status in HEAD) for status in found):
        return f"answered {found}"
    if 999 in found:
        return "no valid HTTP came back"
    if found == [-1] and not (case.cut or case.head):
        return "closed without an answer"
    return None


def pace(service, token, rounds):
    """The median time of good requests, seconds."""
    client, times = service.client(token), []
    for _ in range(rounds):
        begun = time.monotonic()
        client.must(GOOD, {"n": 5})
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def fault(long, seed=SEED):
    many, threads, growth = (100_000, 16, 512) if long else (3_000, 8, 256)
    with Place("malformed") as place:
        service = Service(place.data, "--log", "error")
        generator = Generator(place.world, seed)
        pace(service, place.world["token"], 20)
        before, memory = pace(service, place.world["token"], 40), service.memory()
        cases, lock, wrong, counts = iter(range(many)), threading.Lock(), [], Counter()
        done = 0

        def work():
            nonlocal done
            while True:
                with lock:
                    if next(cases, None) is None or len(wrong) > 20:
                        return
                    case = generator.case()
                found, error = exchange(service.address, case)
                fault = judge(case, found, error)
                with lock:
                    done += 1
                    counts[case.kind, found[0] if found else 0] += 1
                    if fault:
                        wrong.append(f"{case.kind}: {fault}: {b''.join(case.parts)[:300]!r}")
                    if long and done % 10_000 == 0:
                        say(f"{done:,} of {many:,}")

        # Bodies that come in drops, and heads that never end, beside all of it.
        slow = [threading.Thread(target=drip, args=(service.address, body, wrong), daemon=True) for body in (True, False) for _ in range(3)]
        workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
        for thread in [*slow, *workers]:
            thread.start()
        for thread in [*workers, *slow]:
            thread.join()
        check(not wrong, f"{len(wrong)} wrong, the first: " + " || ".join(wrong[:3]))
        check(service.alive(), "the process ended")
        service.no_panic()
        sql = place.sql()
        settled(sql)
        sql.close()
        after, now = pace(service, place.world["token"], 40), service.memory()
        check(after < before * 4 + 0.01, f"slower afterwards: {before * 1000:.1f} ms before, {after * 1000:.1f} ms after")
        if memory:
            check(now - memory < growth, f"memory grew from {memory:.0f} to {now:.0f} MiB")
        service.stop()
        place.verify()
        by_kind, by_status = Counter(), Counter()
        for (kind, status), count in counts.items():
            by_kind[kind] += count
            by_status[status] += count
        if long:
            for kind in sorted(by_kind):
                say(f"{kind}: " + ", ".join(f"{status if status > 0 else 'closed'} {count}" for (of, status), count in sorted(counts.items()) if of == kind))
        told = ", ".join(f"{status if status > 0 else 'closed'}: {count}" for status, count in sorted(by_status.items()))
        return (f"{sum(by_kind.values()):,} of {len(by_kind)} classes (seed {seed}); {told}; "
                f"good requests {before * 1000:.1f} ms before, {after * 1000:.1f} ms after; memory {memory or 0:.0f} to {now or 0:.0f} MiB")


def drip(address, body, wrong):
    """A byte now and then: the service must give up by itself."""
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n"
    begun = time.monotonic()
    try:
        with socket.create_connection(address, timeout=30) as wire:
            wire.sendall(head + (b"\r\n" if body else b""))
            while time.monotonic() - begun < 25:
                wire.sendall(b" " if body else b"X")
                if select.select([wire], [], [], 0.5)[0]:
                    got = wire.recv(100)
                    if got and not got.startswith(b"HTTP/1.1 4"):
                        wrong.append(f"slow: {got[:60]!r}")
                    return
        wrong.append(f"slow {'body' if body else 'head'}: still waited for after 25 s")
    except OSError:
        pass  # closed: fine


if __name__ == "__main__":
    main(fault)
