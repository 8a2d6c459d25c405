"""The program that is measured, on a data folder of its own."""
import copy, json, os, re, signal, subprocess, sys, tempfile, urllib.error, urllib.request

from database import Database

PASSWORD = "bench bench bench"
SIGN_IN = "mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { token } }"


def post(url, query, variables, token=None):
    """The data of a GraphQL answer; an answer with an error ends the run."""
    headers = {"content-type": "application/json"} | ({"authorization": "Bearer " + token} if token else {})
    body = json.dumps({"query": query, "variables": variables}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            answer = json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode()[:500]}")
    if answer.get("errors"):
        sys.exit(f"{url} refused a query: {answer['errors'][0]['message']}")
    return answer["data"]


class Service:
    def __init__(self, clinic, folder, pool):
        self.clinic, self.folder, self.pool = clinic, folder, pool
        self.start()

    def start(self):
        self.launch("--demo", "--data-dir", self.folder)
        self.token = None
        self.token = self.ask(SIGN_IN, {"e": "practitioner@demo.clinic", "p": PASSWORD})["signIn"]["token"]

    def beside(self, without_access_log):
        """A second one on the same Postgres."""
        other = copy.copy(self)
        other.scratch = tempfile.TemporaryDirectory()  # goes with the object
        other.launch("--data-dir", other.scratch.name, "--key-dir", os.path.join(self.folder, "keys"),
                     "--object-store", os.path.join(self.folder, "objects"), DATABASE_URL=Database(self.folder).url("clinic_owner"),
                     **({"CLINIC_UNSAFE_NO_ACCESS_LOG": "true"} if without_access_log else {}))
        return other

    def launch(self, *flags, **settings):
        # A slow build may keep a request waiting for a connection: that shows in the times, and is no reason to stop.
        environment = dict(os.environ, CLINIC_DEMO_PASSWORD=PASSWORD, CLINIC_LOG="warn", CLINIC_SIGN_IN_IDLE="12h",
                           CLINIC_POOL_WAIT="5s", CLINIC_RATE_LIMIT_ACCOUNT="0", CLINIC_RATE_LIMIT_ADDRESS="0")
        environment.pop("DATABASE_URL", None)
        self.process = subprocess.Popen(
            [self.clinic, "serve", *flags, "--listen", "127.0.0.1:0", "--pool-size", str(self.pool)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment | settings)
        found = re.search(r"http://\S+/graphql", self.process.stdout.readline())
        if not found:
            sys.exit("the service did not start: run it by hand with --data-dir " + self.folder)
        self.url = found.group(0)

    def ask(self, query, variables=None):
        return post(self.url, query, variables or {}, self.token)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
