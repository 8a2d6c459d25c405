#!/usr/bin/env python3
"""Verifies the evidence in this folder, with nothing but Python 3 and the openssl command.

    python3 verify.py [--public-key FILE] [FOLDER]

It recomputes the digest of every entry and the hash that chains it to the one before, holds both chains to the heads and
to the signed checkpoints, and checks the checkpoints' signatures. It says what is whole, or the first broken entry.
Exit code: 0 for whole, 1 for broken, 2 if it could not be verified.

Without --public-key, signatures are checked with the public-key.pem of this folder: that shows that the folder agrees with
itself. Give the key that you had from the clinic before, or compare the key id that is printed.
"""
import argparse, base64, hashlib, json, os, subprocess, sys, tempfile, uuid


class Broken(Exception):
    pass


def fields_digest(fields):
    hasher = hashlib.sha256()
    for field in fields:
        hasher.update(len(field).to_bytes(8, "big") + field)
    return hasher.digest()


def ident(text):
    return uuid.UUID(text).bytes if text else b""


def number(value, size):
    return value.to_bytes(size, "big", signed=True)


def ledger_digest(org, row):
    return fields_digest([
        bytes.fromhex(row["salt"]), org, number(row["atMicros"], 8), ident(row["actorId"]), row["requestId"].encode(),
        row["action"].encode(), row["recordKind"].encode(), ident(row["recordId"]), ident(row["patientId"]),
        number(row["version"], 4), row["content"].encode()])


def access_digest(org, row):
    fields = [
        org, number(row["atMicros"], 8), ident(row["actorId"]), row["requestId"].encode(), row["event"].encode(),
        row["operation"].encode(), row["fromAddress"].encode(), b"".join(ident(one) for one in row["patientIds"])]
    if row["reason"] is not None:
        fields.append(row["reason"].encode())
    return fields_digest(fields)


def lines(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def held_to_erasures(folder, words, empty, erasures):
    """Each empty entry is one that an erasure names, and each named one is empty. An erasure from before they were named
    counts them: it accounts for that many before it, and all of what was its patient's then is empty."""
    def broken(seq, why):
        return Broken(f"entry {seq} of the {words} is broken: {why}")

    naming = [one for one in erasures if one["named"] is not None]
    counting = [one for one in erasures if one["named"] is None]
    left = set(empty)
    for one in naming:
        last, entries = 0, []
        for start, end in one["named"]:
            if not last < start <= end < one["seq"]:
                raise broken(one["seq"], "it is an erasure that names entries it can't have emptied")
            last = end
            entries.extend(range(start, end + 1))
        if len(entries) != one["count"]:
            raise broken(one["seq"], "it is an erasure that names entries it can't have emptied")
        for seq in entries:
            if seq not in left:
                raise broken(seq, f"it has content, and the erasure of entry {one['seq']} emptied it")
            left.remove(seq)
    count, so_far = sum(one["count"] for one in counting), 0
    if len(left) != count:
        why = f"{len(left)} entries are empty that no erasure names, and erasures count {count}"
        raise broken(min(left, default=1), why if counting else "it is empty, and no erasure names it")
    for one in counting:
        if naming and naming[0]["seq"] < one["seq"]:
            raise broken(one["seq"], "it is an erasure that does not name the entries it emptied")
        so_far += one["count"]
        if sum(seq < one["seq"] for seq in left) < so_far:
            raise broken(one["seq"], "it is an erasure that counts more entries than are empty before it")
        newest, bare, seq = {}, set(), one["seq"]
        for row in lines(folder, "ledger.ndjson"):
            if row["seq"] < seq:
                newest[row["recordId"]] = row["patientId"]
                if row["content"] is None:
                    bare.add(row["recordId"])
        for row in lines(folder, "ledger.ndjson"):
            theirs = row["recordId"] in bare or newest.get(row["recordId"]) == one["patient"]
            if row["seq"] < seq and row["content"] is not None and theirs:
                raise broken(row["seq"], f"it has content, and the erasure of entry {seq} must have emptied it")


def walk(folder, about, name, words, digest_of, marks):
    """Follows one chain; how many entries it has, and how many digests were taken as they are given."""
    org = uuid.UUID(about["organisationId"]).bytes
    hash_, last, given, empty, erasures = hashlib.sha256(org).digest(), 0, 0, [], []
    withheld = about["withoutContent"] and name == "ledger"

    def hold():
        for at, marked in marks.get(last, []):
            if marked != hash_.hex():
                raise Broken(f"entry {last} of the {words} is broken: it is not what the checkpoint of {at} signed")

    hold()
    for row in lines(folder, name + ".ndjson"):
        seq, digest = row["seq"], bytes.fromhex(row["digest"])
        if seq <= last:
            raise Broken(f"entry {seq} of the {words} is broken: it is there twice")
        if seq != last + 1:
            raise Broken(f"entry {last + 1} of the {words} is broken: it is missing")
        if name == "ledger" and row["salt"] is None and row["content"] is None:
            given += 1
            if not withheld:
                empty.append(seq)
                if row["recordKind"] == "patient_erasure":
                    raise Broken(f"entry {seq} of the {words} is broken: it is an erasure, and is empty itself")
        elif withheld:
            raise Broken(f"entry {seq} of the {words} is broken: this folder says that content was left out, and it has some")
        else:
            try:
                right = digest_of(org, row) == digest
            except (TypeError, ValueError, AttributeError, OverflowError):
                right = False
            if not right:
                raise Broken(f"entry {seq} of the {words} is broken: its content is not what was sealed")
            if name == "ledger" and row["recordKind"] == "patient_erasure" and row["version"] == 1:
                said = json.loads(row["content"])
                erasures.append({"seq": seq, "patient": said["erased_id"], "named": said.get("emptied"),
                                 "count": said["counts"].get("ledger", 0)})
        hash_ = hashlib.sha256(hash_ + seq.to_bytes(8, "big") + digest).digest()
        if hash_.hex() != row["hash"]:
            raise Broken(f"entry {seq} of the {words} is broken: its hash does not follow from the entry before it")
        last = seq
        hold()
    for seq in sorted(marks):
        if seq > last:
            raise Broken(f"the {words} ends at {last}, the checkpoint of {marks[seq][0][0]} has {seq}")
    head = about["heads"][name]
    if (head["seq"], head["hash"]) != (last, hash_.hex()):
        raise Broken(f"the {words} ends at {last}, which is not its head ({head['seq']})")
    held_to_erasures(folder, words, empty, erasures)
    return last, given


def key_ring(text):
    """The keys of a PEM text, by their id."""
    keys = {}
    for block in text.split("-----BEGIN PUBLIC KEY-----")[1:]:
        body = block.split("-----END PUBLIC KEY-----")[0]
        raw = base64.b64decode("".join(body.split()))[-32:]
        keys[hashlib.sha256(raw).hexdigest()[:16]] = f"-----BEGIN PUBLIC KEY-----{body}-----END PUBLIC KEY-----\n"
    return keys


def signature_holds(work, key, text, signature):
    paths = [os.path.join(work, name) for name in ("key", "text", "signature")]
    for path, content in zip(paths, (key.encode(), text.encode(), signature)):
        with open(path, "wb") as file:
            file.write(content)
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin", "-in", paths[1], "-sigfile", paths[2]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def checkpoints(folder, about, keys):
    """The checkpoints whose signatures hold: for each chain, what hash they say of which entry."""
    marks, count = {"ledger": {}, "access_log": {}}, 0
    kept = list(lines(folder, "checkpoints.ndjson"))
    known = {hashlib.sha256(one["checkpoint"].encode()).hexdigest() for one in kept}
    with tempfile.TemporaryDirectory() as work:
        for one in kept:
            said = json.loads(one["checkpoint"])
            at = said["at"]
            if said["key"] not in keys:
                raise Broken(f"the checkpoint of {at} is signed with another key ({said['key']})")
            if not signature_holds(work, keys[said["key"]], one["checkpoint"], base64.b64decode(one["signature"])):
                raise Broken(f"the checkpoint of {at} was changed: its signature does not hold")
            if said["organisation"] != about["organisationId"]:
                raise Broken(f"the checkpoint of {at} is another organisation's")
            if said["previous"] is not None and said["previous"] not in known:
                raise Broken(f"the checkpoint before that of {at} is missing")
            for chain, mark in (("ledger", said["ledger"]), ("access_log", said["accessLog"])):
                marks[chain].setdefault(mark["seq"], []).append((at, mark["hash"]))
            count += 1
    return marks, count


def shown(text):
    """What a file says, as a terminal may show it: what would act instead of being seen is written as its code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public-key", help="the key that you had from the clinic, PEM")
    parser.add_argument("folder", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    options = parser.parse_args()
    folder = options.folder
    try:
        with open(os.path.join(folder, "evidence.json"), encoding="utf-8") as file:
            about = json.load(file)
        with open(options.public_key or os.path.join(folder, "public-key.pem"), encoding="utf-8") as file:
            keys = key_ring(file.read())
        marks, count = checkpoints(folder, about, keys)
        said = []
        for name, words, digest_of in (("ledger", "ledger", ledger_digest), ("access_log", "access log", access_digest)):
            rows, given = walk(folder, about, name, words, digest_of, marks[name])
            why = f", {given} digests taken as they are given" if given else ""
            said.append(f"the {words} is whole: {rows} entries{why}")
    except Broken as broken:
        print(shown(str(broken)))
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"this could not be verified: {error!r}", file=sys.stderr)
        return 2
    print("\n".join(said))
    print(shown(f"{count} checkpoints hold, signed with the key {', '.join(sorted(keys)) or '(none)'}"))
    if about["withoutContent"]:
        print("Content was left out: that the entries of the ledger are those, in that order, is shown. What they say (who, when, "
              "what was done to which record), and which of them were erased, is not.")
    if not count:
        print("Without a checkpoint, a chain that was rewritten as a whole can't be told from this one.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
