#!/usr/bin/env python3
"""A Sentinel that is wrong on purpose (t/37-redis-sentinel.t).

    sentinel.py PORT FILE MASTERPORT MODE

It says that the master of any name is 127.0.0.1:MASTERPORT.  To SUBSCRIBE it says nothing (MODE listens), an
error (refuses), or what is right, and ends the line (closes).  FILE gets the time (s) of each connection, a line
each.  Ends by SIGTERM.
"""
import socketserver
import sys
import time

port, file, master, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
times = open(file, "a", buffering=1)


class Sentinel(socketserver.StreamRequestHandler):
    def command(self):
        n = int(self.rfile.readline()[1:])
        return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2].decode() for _ in range(n)]

    def handle(self):
        times.write(f"{time.monotonic()}\n")
        try:
            while True:
                verb = self.command()[0].upper()
                if verb == "SENTINEL":
                    self.wfile.write(f"*2\r\n$9\r\n127.0.0.1\r\n${len(master)}\r\n{master}\r\n".encode())
                elif verb != "SUBSCRIBE":
                    self.wfile.write(b"+PONG\r\n" if verb == "PING" else b"+OK\r\n")
                elif mode == "refuses":
                    self.wfile.write(b"-NOPERM this user has no permissions to access one of the channels\r\n")
                elif mode == "closes":
                    self.wfile.write(b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
                    return
        except (OSError, ValueError):
            return  # the other side has ended it


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", port), Sentinel).serve_forever()
