"""The least SQL that answers each question under the same row policies, for pgbench as the role that serves.

Written by hand: one transaction of the same kind as the service's, with the organisation and the look-up of the token, and in it
one statement that reads the columns asked for and nothing else. Postgres puts what is nested together as JSON. Which variant
is asked for is a number, so each connection prepares and plans each statement once, as a service would.
"""
import json

from questions import VARIANTS

ROWS_OF_PAGE = 20

# Who asks, while the sign-in holds, and that no restricted patient is closed to them: the row policies ask for it.
BEGIN = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL app.org_id = '{org}';
SELECT s.id, s.role, set_config('app.opened', 'all', true) FROM sign_in i JOIN staff s ON s.org_id = i.org_id AND s.id = i.staff_id
  WHERE i.token_hash = '\\x{token_hash}' AND i.ended_at IS NULL AND i.expires_at > now() AND s.active;
"""

PAGE = """SELECT p.id, p.chart_number, p.preferred_name, p.given_name, p.family_name, p.birth_date, p.fitzpatrick_type, p.status,
  to_json(ARRAY(SELECT json_build_array(t.id, t.started_at, t.ended_at, t.status, t.modality, t.pain_score, t.practitioner_id,
      (SELECT s.display_name FROM staff s WHERE s.org_id = '{org}' AND s.id = t.practitioner_id))
    FROM treatment_session t WHERE t.org_id = '{org}' AND t.patient_id = p.id ORDER BY t.started_at DESC, t.id DESC LIMIT 3)) AS sessions
FROM (SELECT * FROM patient WHERE org_id = '{org}' AND status <> 'merged' AND (name_key, id) > ({key}, {id})
  ORDER BY name_key, id LIMIT 21) AS p"""

PATIENT = """SELECT id, chart_number, preferred_name, given_name, family_name, birth_date, email, phone, fitzpatrick_type, status, version
FROM patient WHERE org_id = '{org}' AND id = {id}"""

CHART = """SELECT p.preferred_name, p.given_name, p.family_name, p.birth_date, p.fitzpatrick_type,
  to_json(ARRAY(SELECT json_build_array(t.started_at, t.status,
      (SELECT s.display_name FROM staff s WHERE s.org_id = '{org}' AND s.id = t.practitioner_id),
      ARRAY(SELECT json_build_array(a.area, a.needle_depth_mm, a.passes)
        FROM session_area a WHERE a.org_id = '{org}' AND a.session_id = t.id ORDER BY a.position),
      ARRAY(SELECT json_build_array(n.kind, n.text)
        FROM aftercare_note n WHERE n.org_id = '{org}' AND n.session_id = t.id ORDER BY n.noted_at DESC, n.id DESC LIMIT 3))
    FROM treatment_session t WHERE t.org_id = '{org}' AND t.patient_id = p.id ORDER BY t.started_at DESC, t.id DESC LIMIT 5)) AS sessions
FROM patient p WHERE p.org_id = '{org}' AND p.id = {id}"""

STATEMENTS = {"page": PAGE, "patient": PATIENT, "chart": CHART}


class LeastSql:
    def __init__(self, database, ids):
        """For the patients by these ids, and the pages that begin after them."""
        self.database = database
        self.org = database.superuser("SELECT org_id FROM organisation").strip()
        self.token_hash = database.superuser("SELECT encode(token_hash, 'hex') FROM sign_in ORDER BY created_at DESC LIMIT 1").strip()
        listed = ", ".join(f"'{one}'" for one in ids)
        keys = dict(database.rows(f"SELECT id, quote_literal(name_key) FROM patient WHERE id IN ({listed})"))
        self.ids = f"(ARRAY[{listed}]::uuid[])[:n]"
        self.keys = f"(ARRAY[{', '.join(keys[one] for one in ids)}])[:n]"

    def filled(self, text):
        return text.format(org=self.org, token_hash=self.token_hash, id=self.ids, key=self.keys)

    def script(self, name):
        return f"\\set n random(1, {VARIANTS})\n{self.filled(BEGIN)}{self.filled(STATEMENTS[name])};\nCOMMIT;\n"

    def answers(self, name):
        """What the statement of each variant answers, by psql."""
        asked = f"SELECT concat('[', string_agg(row_to_json(answer)::text, ','), ']') FROM ({self.filled(STATEMENTS[name])}) AS answer;\n"
        script = "".join(f"\\set n {number}\n{self.filled(BEGIN)}{asked}COMMIT;\n" for number in range(1, VARIANTS + 1))
        found = [line for line in self.database.as_service(script).splitlines() if line.startswith("[")]
        return [of_page(json.loads(line)) if name == "page" else json.loads(line) for line in found]


def of_page(rows):
    """The row beyond the page says that there is a next one."""
    return [rows[:ROWS_OF_PAGE], len(rows) > ROWS_OF_PAGE]
