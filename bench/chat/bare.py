"""The floor: a loop of `socket.send` over plain TCP connections, which no chat server can leave out.

On stdin, one line per order: how many messages, and how many seconds between them.
"""

import json
import socket
import sys
import time


def main() -> None:
    """Take connections, then carry out orders."""
    members, frame = int(sys.argv[1]), sys.argv[2].encode()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        print(server.getsockname()[1], flush=True)
        peers = [server.accept()[0] for _ in range(members)]
    # The head of a WebSocket text frame, so that both sides write the same number of bytes.
    frame = b"\x81\x7e" + len(frame).to_bytes(2, "big") + frame
    print("connected", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        due = time.monotonic()
        for _ in range(order["messages"]):
            for peer in peers:
                peer.send(frame)
            due += order["every"]
            if (pause := due - time.monotonic()) > 0:
                time.sleep(pause)
        print("sent", flush=True)


if __name__ == "__main__":
    main()
