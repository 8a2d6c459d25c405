"""The tables of a run."""
import statistics

SERVICE, PEER, LEAST, OWN = "service", "peer", "least SQL", "own SQL"


def rate(turns):
    return statistics.median(turn[0] for turn in turns)


def ratio(ours, theirs):
    """Of turns that followed each other."""
    return statistics.median(our[0] / their[0] for our, their in zip(ours, theirs))


def compared(turns, side, goal, form):
    """A side's rate, the service's ratio to it, and the goal of that ratio; dashes where the side was not measured."""
    if side not in turns:
        return f"{'-':>9} {'-':>7} {'-':>6}"
    wanted = "-" if goal is None else format(goal, form)
    return f"{rate(turns[side]):9.0f} {format(ratio(turns[SERVICE], turns[side]), form):>7} {wanted:>6}"


def ratios(measured):
    """The service's requests/s beside each side's, with the ratio and its goal."""
    print(f"\n{'request':36} {'service/s':>9} | {'peer/s':>9} {'ratio':>7} {'goal':>6} | {'least/s':>9} {'share':>7} {'goal':>6} |"
          f" {'own SQL/s':>9} {'share':>7}")
    for question, turns in measured:
        own = compared(turns, OWN, None, ".0%")[: 9 + 1 + 7]
        print(f"{question.name:36} {rate(turns[SERVICE]):9.0f} | {compared(turns, PEER, question.times_of_peer, '.2f')} |"
              f" {compared(turns, LEAST, question.share_of_least, '.0%')} | {own}", flush=True)


def times(measured):
    """How long a request takes on each side: half of them at most, and 99 of 100 at most."""
    print(f"\n{'p50 / p99 ms':36} " + " ".join(f"{side:>15}" for side in (SERVICE, PEER, LEAST, OWN)))
    for question, turns in measured:
        cells = []
        for side in (SERVICE, PEER, LEAST, OWN):
            half, most = (statistics.median(turn[column] for turn in turns.get(side, [])) if side in turns else None for column in (1, 2))
            cells.append(f"{'-' if half is None else f'{half:.1f} / {most:.1f}':>15}")
        print(f"{question.name:36} " + " ".join(cells), flush=True)
