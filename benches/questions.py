"""The requests that are measured: how the service is asked, how the peer is, and the goals."""
import sys
from dataclasses import dataclass, field

from answers import row_id

VARIANTS = 32  # different patients and pages for each request
STRIDE = 100  # patients from one variant's page to the next, where there are enough

# Sessions that were entered in error are asked for too: the peer has no way to leave them out.
PAGE = """query Page($after: String) { patients(first: 20, after: $after) { edges { node {
  id chartNumber displayName birthDate fitzpatrickType status
  sessions(first: 3, filter: {includeEnteredInError: true}) { edges { node { id startedAt endedAt status modality painScore practitioner { id displayName } } } }
} } pageInfo { hasNextPage endCursor } } }"""
PATIENT = "query Patient($id: ID!) { patient(id: $id) { id chartNumber displayName birthDate email phone fitzpatrickType status version } }"
CHART = """query Chart($id: ID!) { patient(id: $id) { displayName birthDate fitzpatrickType
  sessions(first: 5, filter: {includeEnteredInError: true}) { edges { node { startedAt status practitioner { displayName } areas { area needleDepthMm passes }
    aftercareNotes(first: 3) { edges { node { kind text } } } } } } } }"""
LOG = """mutation Log($input: LogSessionInput!) { logSession(input: $input) { session { id version } } }"""

# The same columns in the same order. A display name is put together from three columns; `id` would be a global id made in
# JavaScript, so the row's own is asked for.
PEER_PAGE = """query Page($org: UUID!, $after: Cursor) {
  allPatients(first: 20, after: $after, orderBy: [NAME_KEY_ASC], condition: {orgId: $org}) { edges { node {
    rowId chartNumber preferredName givenName familyName birthDate fitzpatrickType status
    treatmentSessionsByOrgIdAndPatientId(first: 3, orderBy: [STARTED_AT_DESC, ROW_ID_DESC]) { edges { node {
      rowId startedAt endedAt status modality painScore staffByOrgIdAndPractitionerId { rowId displayName } } } }
  } } pageInfo { hasNextPage endCursor } } }"""
PEER_PATIENT = """query Patient($org: UUID!, $id: UUID!) { patientByOrgIdAndRowId(orgId: $org, rowId: $id) {
  rowId chartNumber preferredName givenName familyName birthDate email phone fitzpatrickType status version } }"""
PEER_CHART = """query Chart($org: UUID!, $id: UUID!) { patientByOrgIdAndRowId(orgId: $org, rowId: $id) {
  preferredName givenName familyName birthDate fitzpatrickType
  treatmentSessionsByOrgIdAndPatientId(first: 5, orderBy: [STARTED_AT_DESC, ROW_ID_DESC]) { edges { node {
    startedAt status staffByOrgIdAndPractitionerId { displayName }
    sessionAreasByOrgIdAndSessionId(orderBy: [POSITION_ASC]) { edges { node { area needleDepthMm passes } } }
    aftercareNotesByOrgIdAndSessionId(first: 3, orderBy: [NOTED_AT_DESC, ROW_ID_DESC]) { edges { node { kind text } } }
  } } } } }"""

WALK = "query Walk($first: Int!, $after: String) { patients(first: $first, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }"
PEER_WALK = """query Walk($org: UUID!, $first: Int!, $after: Cursor) {
  allPatients(first: $first, after: $after, orderBy: [NAME_KEY_ASC], condition: {orgId: $org}) { nodes { rowId } pageInfo { hasNextPage endCursor } } }"""


@dataclass
class Question:
    name: str
    document: str
    variables: list
    patients: list = field(default_factory=list)  # row id of the patient asked for, or of the one before the page
    peer_document: str | None = None
    least: str | None = None  # its name in least.py
    times_of_peer: float | None = None  # the goal: so many times the peer's requests/s
    share_of_least: float | None = None  # the goal: this part of the least SQL's transactions/s
    peer_variables: list = field(default_factory=list)  # known once the peer runs

    @property
    def inserts(self):
        return self.document is LOG


def stride(database):
    patients = int(database.superuser("SELECT count(*) FROM patient WHERE status <> 'merged'"))
    return max(1, min(STRIDE, (patients - 21) // VARIANTS))


def walk(ask, document, first, **variables):
    """The end of each of the first pages, and the last patient on it."""
    ends, after = [], None
    for _ in range(VARIANTS):
        (page,) = ask(document, {"first": first, "after": after, **variables}).values()
        if not page["pageInfo"]["hasNextPage"]:
            sys.exit(f"too few patients for {VARIANTS} different pages")
        after = page["pageInfo"]["endCursor"]
        ends.append((after, page["nodes"][-1]))
    return ends


def choose(only, service, database):
    """The questions that `--only` leaves."""
    walked = walk(service.ask, WALK, stride(database))
    ids = [patient["id"] for _, patient in walked]
    patients, by_id = [row_id(one) for one in ids], [{"id": one} for one in ids]
    questions = [
        Question("page: 20 patients, 3 sessions each", PAGE, [{"after": after} for after, _ in walked],
                 patients, PEER_PAGE, "page", 2.0, 0.50),
        Question("patient by id", PATIENT, by_id, patients, PEER_PATIENT, "patient", 2.2, 0.45),
        Question("chart: 5 sessions, areas, notes", CHART, by_id, patients, PEER_CHART, "chart", 1.5, 0.50),
        Question("logSession", LOG, sessions_to_log(service)),
    ]
    chosen = [question for question in questions if not only or only in question.name]
    return chosen or sys.exit(f"no request is called {only}; there are: " + "; ".join(question.name for question in questions))


def ask_of(peer, questions, database):
    """Finds how the peer is asked for the same patients and pages."""
    organisation = {"org": peer.organisation}
    ends = [end for end, _ in walk(peer.ask, PEER_WALK, stride(database), **organisation)]
    for question in questions:
        if question.peer_document is PEER_PAGE:
            question.peer_variables = [organisation | {"after": after} for after in ends]
        elif question.peer_document:
            question.peer_variables = [organisation | {"id": patient} for patient in question.patients]


def sessions_to_log(service):
    place = service.ask("{ organisation { locations(first: 1) { nodes { id } } } }")["organisation"]["locations"]["nodes"][0]["id"]
    session = {"locationId": place, "startedAt": "2026-01-10T10:00:00Z", "endedAt": "2026-01-10T11:00:00Z", "modality": "MICRONEEDLING",
               "device": {"model": "Pen", "kind": "MOTORISED_PEN"}, "painScore": 3, "note": "Well tolerated.",
               "areas": [{"area": "CHEEK", "needleDepthMm": "1.5", "passes": 3, "endpoint": "ERYTHEMA"},
                         {"area": "FOREHEAD", "needleDepthMm": "0.75", "passes": 2, "endpoint": "ERYTHEMA"}],
               "products": [{"role": "SERUM", "product": "Hyaluronic acid", "lot": "A1", "quantity": "2.5", "unit": "mL"}]}
    active = service.ask("query { patients(first: 100, filter: {status: [ACTIVE]}) { nodes { id } } }")["patients"]["nodes"]
    return [{"input": dict(session, patientId=patient["id"])} for patient in active[:VARIANTS]]
