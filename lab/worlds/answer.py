"""A tiny web server: answers with its name and who asked. It returns when it listens, so nobody waits for it."""

import os
import socket
import sys
import threading

name, port = sys.argv[1], int(sys.argv[2])
server = socket.create_server(("", port), backlog=256)
if os.fork():
    os._exit(0)
for number in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), number)


def answer(client: socket.socket, asker: str) -> None:
    """Answer one connection's requests, until it is closed or a request asks for that."""
    with client, client.makefile("rb") as lines:
        while lines.readline():
            head = []
            while line := lines.readline().strip().lower():
                head.append(line)
            body = f"{name} was asked by {asker}\n".encode()
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if b"connection: close" in head:
                break


while True:
    connection, (address, _) = server.accept()
    threading.Thread(target=answer, args=(connection, address), daemon=True).start()
