"""What those who follow cost those who write: logSession with followers and without, of one service."""
import json, statistics, subprocess, tempfile, time

from load import wrk

NAME = "live"
GOAL = 0.03
SECONDS = 3  # of a turn: short ones, since the difference is small
FIELDS = "{ cursor sequence kind action recordId patientId mark }"


def measure(options, service, questions):
    """`questions`: logSession."""
    turns = max(8, options.rounds * options.seconds // SECONDS)
    followed = screens(service, questions[0])
    print(f"\n{NAME}: {options.clients} clients write, {len(followed)} screens follow; medians of {turns} turns of {SECONDS} s each; "
          f"the goal is at most {GOAL:.0%}\n")
    print(f"{'request':36} {'with/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'without/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'cost':>7} {'told/s':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for question in questions:
            cost_of(options, question, service, followed, turns, folder)


def screens(service, question):
    """What is open in a clinic on a morning: the day at each desk, charts, what is to do; and a program that follows all."""
    place = question.variables[0]["input"]["locationId"]
    patients = [one["input"]["patientId"] for one in question.variables[:6]]
    days = [f'subscription {{ dayChanged(locationId: "{place}") {FIELDS} }}'] * 3
    charts = [f'subscription {{ recordChanged(filter: {{patientId: "{patient}"}}) {FIELDS} }}' for patient in patients]
    return days + charts + [f"subscription {{ tasksChanged {FIELDS} }}"] * 2 + [f"subscription {{ recordChanged {FIELDS} }}"]


class Followers:
    """Subscriptions as server-sent events, by curl, which costs next to nothing itself."""

    def __init__(self, service, documents):
        self.files = [tempfile.TemporaryFile("w+") for _ in documents]
        self.running = [
            subprocess.Popen(
                ["curl", "-sN", service.url, "-H", f"Authorization: Bearer {service.token}", "-H", "Accept: text/event-stream",
                 "-H", "Content-Type: application/json", "-d", json.dumps({"query": document})], stdout=file)
            for document, file in zip(documents, self.files)]
        time.sleep(0.5)

    def stop(self):
        """Ends them: how many changes they were told of."""
        time.sleep(0.5)
        told = 0
        for process, file in zip(self.running, self.files):
            process.terminate()
            process.wait()
            file.seek(0)
            told += file.read().count("event: next")
            file.close()
        return told


def cost_of(options, question, service, followed, turns, folder):
    bodies = [json.dumps({"query": question.document, "variables": one}) for one in question.variables]
    rows, told = {True: [], False: []}, 0
    wrk(service.url, service.token, bodies, SECONDS, options.clients, folder)  # warms connections and plans
    for turn in range(turns):
        for watched in (True, False) if turn % 2 == 0 else (False, True):
            followers = Followers(service, followed) if watched else None
            rows[watched].append(wrk(service.url, service.token, bodies, SECONDS, options.clients, folder))
            told += followers.stop() if followers else 0
    middle = [[statistics.median(column) for column in zip(*rows[watched])] for watched in rows]
    share = statistics.median(one[0] / other[0] for one, other in zip(rows[True], rows[False]))
    figures = " ".join(f"{rate:10.0f} {half:8.1f} {most:8.1f}" for rate, half, most in middle)
    print(f"{question.name:36} {figures} {1 - share:6.1%} {told / turns / SECONDS:8.0f}", flush=True)
