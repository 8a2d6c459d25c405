"""The peer: PostGraphile 5 over the same tables, as the same role, under the same row policies.

Who asks and in which organisation stands in its configuration: it looks up no token and writes no access log. Both are work
that only the service does.
"""
import glob, json, os, re, shutil, subprocess, sys

from service import post


class Peer:
    def __init__(self, folder, database, pool, processes):
        node = glob.glob(os.path.join(folder, "node_modules/node-linux-*/bin/node")) or [shutil.which("node") or "node"]
        organisation = database.superuser("SELECT org_id FROM organisation").strip()
        environment = dict(os.environ, NODE_ENV="production", GRAPHILE_ENV="production", PEER_PROCESSES=str(processes),
                           PEER_POOL=str(pool), PEER_ORGANISATION=organisation, PEER_DATABASE_URL=database.url("clinic_app"))
        with open(os.path.join(folder, "node_modules/postgraphile/package.json")) as file:
            self.name = f"PostGraphile {json.load(file)['version']}"
        self.organisation, self.processes = organisation, processes
        self.process = subprocess.Popen([os.path.abspath(node[0]), "server.mjs"], cwd=folder, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        found = re.match(r"http://\S+/graphql", self.process.stdout.readline())
        if not found:
            self.stop()
            sys.exit("the peer did not start: it needs Node 22 or newer")
        self.url = found.group(0)

    def ask(self, query, variables=None):
        return post(self.url, query, variables or {})

    def stop(self):
        self.process.terminate()
        self.process.wait()
