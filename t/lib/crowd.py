#!/usr/bin/env python3
"""Thousands of clients that are slow on purpose, and a backend for them (t/48-crowd.t).

    crowd.py backend FILE            listens on a free port of 127.0.0.1, and writes it to FILE:
                                     /big is an answer without an end; /wait waits for SIGUSR1
    crowd.py crowd PORT FILE KIND=N ...
                                     N clients of each kind, and those that were cut off come again;
                                     what became of them is in FILE: {KIND: {came, open, OUTCOME...}}
Both end by SIGTERM.

Kinds: heads (slowloris: a head without an end, byte by byte), bodies (the same with a body), readers (take a
big answer byte by byte), idle (ask once, then nothing), waiting (ask for /wait).  Outcomes: the last answer's
status, or "ended" or "reset" when there was none, or the idle ones had theirs.
"""
import heapq
import json
import os
import select
import signal
import socket
import sys
import time

TICK = 0.1  # seconds between two bytes of a slow one
AGAIN = 0.3  # seconds until one that was cut off comes again
AT_ONCE = 200  # that come in one turn of the loop
BEGINS = {
    "heads": b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "bodies": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
    "readers": b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "idle": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "waiting": b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
}


class Loop:
    """Sockets with an owner that has on_event(events), and calls at a time."""

    def __init__(self):
        self.epoll, self.owners, self.calls, self.n, self.ends = select.epoll(), {}, [], 0, False
        signal.signal(signal.SIGTERM, self.end)

    def end(self, *_):
        self.ends = True

    def watch(self, sock, events, owner):
        self.owners[sock.fileno()] = owner
        self.epoll.register(sock.fileno(), events)

    def forget(self, sock):
        self.owners.pop(sock.fileno(), None)
        sock.close()  # which takes it out of the epoll, too

    def call(self, seconds, function):
        self.n += 1
        heapq.heappush(self.calls, (time.monotonic() + seconds, self.n, function))

    def run(self):
        while not self.ends:
            for fd, events in self.epoll.poll(0.02, 1000):
                if fd in self.owners:
                    self.owners[fd].on_event(events)
            while self.calls and self.calls[0][0] <= time.monotonic():
                heapq.heappop(self.calls)[2]()


# ---- The backend ---------------------------------------------------------------------------------


class Request:
    """One connection of the gateway."""

    def __init__(self, loop, sock, waiting):
        self.loop, self.sock, self.waiting = loop, sock, waiting
        self.bytes, self.left, self.big = b"", 0, False  # left: of a body
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.watch(sock, select.EPOLLIN, self)

    def on_event(self, events):
        try:
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self.take(self.sock.recv(65536))
            if self.big:
                self.sock.send(b"x" * 65536)
        except BlockingIOError:
            pass
        except OSError:
            self.loop.forget(self.sock)

    def take(self, got):
        if not got:
            raise ConnectionResetError
        if self.left > 0:
            self.left -= len(got)
            if self.left <= 0:
                self.answer()
            return
        self.bytes += got
        while b"\r\n\r\n" in self.bytes:
            head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
            path = head.split(b" ", 2)[1]
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self.left = int(length[0].split(b":")[1]) - len(self.bytes) if length else 0
            if self.left > 0:
                self.bytes = b""
            elif path == b"/big":
                self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
                self.big = True
                self.loop.epoll.modify(self.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            elif path == b"/wait":
                self.waiting.append(self)
            else:
                self.answer()

    def answer(self):
        self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nreached")


class Listener:
    def __init__(self, loop, file):
        self.loop, self.waiting = loop, []
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.sock.setblocking(False)
        loop.watch(self.sock, select.EPOLLIN, self)
        signal.signal(signal.SIGUSR1, self.release)
        write(file, self.sock.getsockname()[1])

    def on_event(self, _):
        try:
            while True:
                Request(self.loop, self.sock.accept()[0], self.waiting)
        except BlockingIOError:
            pass

    def release(self, *_):
        for request in self.waiting:
            try:
                request.answer()
            except OSError:
                pass
        self.waiting.clear()


# ---- The crowd -----------------------------------------------------------------------------------


class Slow:
    """One client of a kind, again and again."""

    def __init__(self, crowd, kind, n):
        self.crowd, self.kind, self.n, self.sock = crowd, kind, n, None

    def come(self):
        self.sock = socket.socket()
        self.status, self.got = None, b""
        self.sock.setblocking(False)
        if self.kind == "readers":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # From many addresses: the ports of one are for other tests, too.
        self.sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.sock.bind(("127.1.0.%d" % (self.n % 200 + 1), 0))
        self.sock.connect_ex(("127.0.0.1", self.crowd.port))
        self.crowd.count(self.kind, "came")
        self.crowd.count(self.kind, "open")
        self.begun = False
        self.crowd.loop.watch(self.sock, select.EPOLLOUT, self)
        self.on_event(0)  # on this machine it is connected by now, mostly

    def begin(self):
        self.sock.send(BEGINS[self.kind])
        self.begun = True
        self.crowd.loop.epoll.modify(self.sock.fileno(), 0 if self.kind == "readers" else select.EPOLLIN)
        if self.kind in ("heads", "bodies", "readers"):
            self.tick(self.sock)

    def on_event(self, events):
        try:
            if not self.begun:
                self.begin()
                return
            if events & (select.EPOLLERR | select.EPOLLHUP) and self.kind == "readers":
                self.gone("reset")
            elif events:
                self.take()
        except BlockingIOError:
            pass
        except OSError:
            if events:
                self.gone(self.status or "reset")

    def take(self):
        got = self.sock.recv(4096)
        self.got += got
        if self.status is None and len(self.got) >= 12:
            self.status = self.got[9:12].decode("latin-1")
        if not got:
            self.gone("ended" if self.kind == "idle" else self.status or "ended")
        elif self.kind != "idle" and self.got.endswith((b"}", b"}\n", b"reached")):
            self.gone(self.status)

    def tick(self, sock):
        if sock is not self.sock or self.status is not None:
            return
        try:
            if self.kind == "readers":
                if not self.sock.recv(1):
                    return self.gone("ended")
            else:
                self.sock.send(b"x")
        except BlockingIOError:
            pass
        except OSError:
            if self.kind == "readers":  # the others have an answer to read
                return self.gone("reset")
        self.crowd.loop.call(TICK, lambda: self.tick(sock))

    def gone(self, how):
        self.crowd.count(self.kind, "open", -1)
        self.crowd.count(self.kind, how)
        self.crowd.loop.forget(self.sock)
        self.sock = None
        if self.kind != "waiting":
            self.crowd.loop.call(AGAIN, self.come)


class Crowd:
    def __init__(self, loop, port, file, kinds):
        self.loop, self.port, self.file, self.counts = loop, port, file, {}
        self.coming = []
        for kind, n in kinds:
            self.counts[kind] = {"came": 0, "open": 0}
            self.coming += [Slow(self, kind, i) for i in range(n)]
        self.let_in()
        self.tell()

    def count(self, kind, what, n=1):
        self.counts[kind][what] = self.counts[kind].get(what, 0) + n

    def let_in(self):
        for slow in self.coming[:AT_ONCE]:
            slow.come()
        del self.coming[:AT_ONCE]
        if self.coming:
            self.loop.call(0.05, self.let_in)

    def tell(self):
        write(self.file, json.dumps(self.counts))
        self.loop.call(0.1, self.tell)


def write(file, what):
    with open(file + ".new", "w", encoding="utf-8") as f:
        f.write("%s\n" % what)
    os.rename(file + ".new", file)


def main(what, *args):
    loop = Loop()
    if what == "backend":
        Listener(loop, args[0])
    else:
        kinds = [kind.split("=") for kind in args[2:]]
        Crowd(loop, int(args[0]), args[1], [(kind, int(n)) for kind, n in kinds])
    loop.run()


main(*sys.argv[1:])
