"""The service's own Postgres, reached beside it."""
import base64, hashlib, hmac, os, subprocess, sys, urllib.parse


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


class Database:
    def __init__(self, folder):
        with open(os.path.join(folder, "postgres/data/postmaster.pid")) as file:
            lines = file.read().split("\n")
        self.port, self.host = lines[3], lines[4]
        self.log = os.path.join(folder, "postgres/server.log")
        with open(os.path.join(folder, "passwords")) as file:
            self.passwords = dict(line.strip().split("=", 1) for line in file if "=" in line)
        digest = hmac.new(self.passwords["clinic_owner"].encode(), b"clinic application role", hashlib.sha256).digest()
        self.passwords["clinic_app"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def url(self, role):
        user = f"{role}:{self.passwords[role]}"
        return f"postgres://{user}@/clinic?host={urllib.parse.quote(self.host, safe='')}&port={self.port}"

    def environment(self, role):
        """For psql and pgbench. The service's connections have the same two options."""
        return dict(os.environ, PGHOST=self.host, PGPORT=self.port, PGUSER=role, PGPASSWORD=self.passwords[role],
                    PGDATABASE="clinic", PGOPTIONS="-c plan_cache_mode=force_generic_plan -c jit=off")

    def superuser(self, statement):
        return run("psql", "-XAtc", statement, env=self.environment("postgres"))

    def rows(self, statement):
        """As the superuser: each row as a list of texts."""
        return [line.split("\t") for line in run("psql", "-XAt", "-F", "\t", "-c", statement,
                                                 env=self.environment("postgres")).splitlines()]

    def as_service(self, script):
        """What a psql script prints, with the rights of the role that serves."""
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", input=script, env=self.environment("clinic_app"))

    def tidy(self):
        """Now, so that no clean-up in the background falls on one side's turn."""
        self.superuser("VACUUM (ANALYZE)")

    def log_statements(self, on):
        """For connections opened from now on."""
        for name, value in (("log_statement", "all"), ("log_error_verbosity", "default"), ("log_parameter_max_length", "-1")):
            self.superuser(f"ALTER ROLE clinic_app SET {name} = '{value}'" if on else f"ALTER ROLE clinic_app RESET {name}")
