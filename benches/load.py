"""What puts load on a side: wrk on an HTTP service, pgbench on Postgres. Each gives (requests/s, median ms, 99th percentile ms)."""
import glob, json, os, re, subprocess, sys

from database import run

# Seconds at the start of a pgbench that do not count: each connection is new and plans its statements then, which a service's
# connections did long ago.
PLANNING = 1

LUA = """
local n = math.random(#bodies)
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
request = function() n = n % #bodies + 1 return wrk.format(nil, nil, nil, bodies[n]) end
local wrong = 0
response = function(status, headers, body) if status ~= 200 or body:find('"errors"', 1, true) then wrong = wrong + 1 end
  if wrong == 1 then io.stderr:write(body .. "\\n") wrong = 2 end end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %f %f %f %d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect)) end
"""


def wrk(url, token, bodies, seconds, clients, folder):
    path = os.path.join(folder, "load.lua")
    with open(path, "w") as file:
        file.write("local bodies = {}\n")
        for body in bodies:
            file.write(f"bodies[#bodies + 1] = {json.dumps(body)}\n")
        if token:
            file.write(f'wrk.headers["authorization"] = "Bearer {token}"\n')
        file.write(LUA)
    done = subprocess.run(["wrk", "-t2", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", path, url],
                          check=True, capture_output=True, text=True)
    if done.stderr.strip():
        sys.exit(f"{url} answered with an error: {done.stderr.strip()[:300]}")
    found = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", done.stdout)
    if found.group(4) != "0":
        sys.exit(f"{url}: {found.group(4)} requests failed")
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
    run(os.environ.get("PGBENCH", "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds + PLANNING), "-l",
        "--log-prefix", os.path.join(folder, "latency"), *files, env=database.environment("clinic_app"))
    lines = []
    for path in glob.glob(os.path.join(folder, "latency*")):
        with open(path) as file:
            lines += file
    return figures(lines, seconds)


def figures(lines, seconds):
    """Of pgbench's log without its first second."""
    ended = []  # in microseconds: when, and how long it took
    for line in lines:
        _, _, took, _, second, rest = line.split()[:6]
        ended.append((int(second) * 1_000_000 + int(rest), int(took)))
    begin = min(at - took for at, took in ended) + PLANNING * 1_000_000
    times = sorted(took for at, took in ended if begin <= at < begin + seconds * 1_000_000)
    if not times:
        sys.exit("pgbench ended no transaction after its first second")
    return len(times) / seconds, times[len(times) // 2] / 1000, times[len(times) * 99 // 100] / 1000
