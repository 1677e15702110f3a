"""`make bench`: measures what the project claims, next to a peer in the same run, and prints JSON."""

import json
import sys

from bench.chat.measure import measure as chat
from bench.join_time.measure import measure as join_time
from bench.slots.measure import measure as slots

BENCHES = {"join_time": join_time, "chat": chat, "slots": slots}


def main() -> None:
    chosen = sys.argv[1:] or list(BENCHES)
    for name in chosen:
        sys.stdout.write(json.dumps({"bench": name, **BENCHES[name]()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
