"""The faults, one by one, with one prepared clinic for all of them."""
import argparse, importlib, os, sys, tempfile, time, traceback
import harness

FAULTS = ["malformed", "pool_exhausted", "slow_query", "hang_up", "kill_service", "kill_postgres", "restart_postgres", "disk_full", "clock"]


def run(name, long):
    begun = time.monotonic()
    # A service on another's Postgres keeps its checkpoints in the folder it is started in: not those of the fault before.
    with tempfile.TemporaryDirectory(prefix="clinic-faults-") as folder:
        os.chdir(folder)
        try:
            return tried(name, long, begun)
        finally:
            os.chdir(harness.CHECKOUT)


def tried(name, long, begun):
    try:
        told = importlib.import_module(name).fault(long)
        outcome = "held"
    except harness.Skipped as why:
        outcome, told = "skipped", str(why)
    except Exception as why:
        outcome, told = "BROKEN", str(why)
        if not isinstance(why, harness.Broken):
            traceback.print_exc()
    print(f"    {outcome} in {time.monotonic() - begun:.1f} s: {told}", flush=True)
    return outcome


def main():
    parser = argparse.ArgumentParser(prog="tests/faults/run")
    parser.add_argument("--long", action="store_true", help="the long versions")
    parser.add_argument("--minutes", type=float, help="begin no other fault after so many minutes")
    parser.add_argument("names", nargs="*", help=", ".join(FAULTS))
    given = parser.parse_args()
    long, names = given.long, [name.removesuffix(".py") for name in given.names] or FAULTS
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        sys.exit(f"tests/faults/run: no fault {unknown[0]}; there are {', '.join(FAULTS)}")
    outcomes, begun = [], time.monotonic()
    try:
        for number, name in enumerate(names, 1):
            if given.minutes and time.monotonic() - begun > given.minutes * 60:
                print(f"the time is up: not run are {', '.join(names[number - 1:])}")
                break
            print(f"fault {number} of {len(names)}: {name}{' (long)' if long else ''}", flush=True)
            outcomes.append((name, run(name, long)))
    finally:
        harness.clear_up()
    skipped = [name for name, outcome in outcomes if outcome == "skipped"]
    failed = [name for name, outcome in outcomes if outcome == "BROKEN"]
    passed = len(outcomes) - len(skipped) - len(failed)
    more = f", {len(skipped)} skipped ({', '.join(skipped)})" if skipped else ""
    print(f"faults: {passed} passed, {len(failed)} failed{more} in {time.monotonic() - begun:.0f} s" + (f": {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
