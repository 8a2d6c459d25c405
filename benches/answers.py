"""Whether the sides answer the same: each answer becomes the plain values in it, in the order in which they were asked for."""
import re, sys, uuid
from datetime import datetime, timezone

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
NAMES = ("preferredName", "givenName", "familyName"), ("preferred_name", "given_name", "family_name")
GIVEN = {names[1] for names in NAMES}
NOT_COMPARED = {names[part] for names in NAMES for part in (0, 2)} | {"endCursor"}  # a cursor is each side's own
SKIN_TYPES = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6}


def row_id(typed):
    """The UUID in an id of the service, such as patient_01kfngr8y0e71r6ypz0jznh1rv."""
    number = 0
    for character in typed.rsplit("_", 1)[1]:
        number = number * 32 + ALPHABET.index(character)
    return str(uuid.UUID(int=number))


def plain(value):
    """A value as it is in the database, however a side writes it."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        if re.fullmatch(r"[a-z]+_[0-9a-hjkmnp-tv-z]{26}", value):
            return row_id(value)
        if re.match(r"\d{4}-\d\d-\d\d[T ]", value):
            return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
        if value in SKIN_TYPES:
            return float(SKIN_TYPES[value])
        if re.fullmatch(r"[A-Z]+(_[A-Z]+)*", value):
            return value.lower()
        if not re.fullmatch(r"\d+(\.\d+)?", value):
            return value
    return float(value)


def values(answer):
    """The plain values in an answer. Names of fields differ between the sides and are left out."""
    if isinstance(answer, list):
        return [found for one in answer for found in values(one)]
    if not isinstance(answer, dict):
        return [plain(answer)]
    found = []
    for name, value in answer.items():
        if name in GIVEN:
            found.append(plain(display_name(answer)))
        elif name not in NOT_COMPARED:
            found += values(value)
    return found


def display_name(row):
    """As the service makes it."""
    preferred, given, family = (row.get(camel, row.get(snake)) for camel, snake in zip(*NAMES))
    return f"{preferred or given} {family}"


def look(question, service, peer, least):
    """Ends the run where a side does not answer the same as the service, to any variant. Gives how many values were compared."""
    ours = [values(service.ask(question.document, one)) for one in question.variables]
    sides = {"the least SQL": [values(answer) for answer in least.answers(question.least)]}
    if peer:
        sides["the peer"] = [values(peer.ask(question.peer_document, one)) for one in question.peer_variables]
    for side, theirs in sides.items():
        if len(theirs) != len(ours):
            sys.exit(f"{question.name}: {side} gives {len(theirs)} answers, the service {len(ours)}")
        for number, (our, their) in enumerate(zip(ours, theirs)):
            if our != their:
                place = next((at for at, pair in enumerate(zip(our, their)) if pair[0] != pair[1]), min(len(our), len(their)))
                sys.exit(f"{question.name}: {side} does not answer the same as the service to variant {number}: value {place} of"
                         f" {len(our)} and {len(their)}\n  {side}: {their[place:place + 3]}\n  the service: {our[place:place + 3]}")
    return sum(len(one) for one in ours)
