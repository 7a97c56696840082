#!/usr/bin/env python3
"""A sample extension: it tells who asked for what, and registers itself with ksgate.

    hello.py --admin /run/ksgate/admin.sock              by the admin socket
    hello.py --gateway http://127.0.0.1:8080 --token T   or by HTTP, with a token

    GET /ws       a WebSocket that sends back what it gets
    GET /stream   a line each second (server-sent events); ?n=5&ms=200
    anything else tells what arrived: as a page for a browser, as JSON for all others

Only the standard library.
"""
import argparse
import base64
import hashlib
import html
import http.client
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# --- Registration: a lease that is renewed three times as often as needed ---------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Registration(threading.Thread):
    """Keeps /extensions/NAME pointing to us until it is told to leave."""

    def __init__(self, args, url):
        super().__init__(daemon=True)
        self.args = args
        self.spec = {"url": url, "leaseSeconds": args.lease}
        self.path = f"/-/apis/ksgate.io/v1/extensionservices/{args.name}/endpoints/{args.id}"
        self.leaving = threading.Event()

    def call(self, method, spec=None):
        if self.args.admin:
            connection = UnixConnection(self.args.admin)
        else:
            connection = http.client.HTTPConnection(urlsplit(self.args.gateway).netloc, timeout=5)
        headers = {"Content-Type": "application/json"}
        if self.args.token:
            headers["Authorization"] = "Bearer " + self.args.token
        try:
            connection.request(method, self.path, json.dumps(spec) if spec else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"{method} {self.path}: {answer.status} {text.strip()}")

    def run(self):
        registered = False
        while True:
            try:
                self.call("PUT", self.spec)
                if not registered:
                    print(f"hello is registered as {self.args.name}/{self.args.id}", flush=True)
                registered = True
            except (OSError, http.client.HTTPException) as e:
                print(f"hello: {e}", file=sys.stderr, flush=True)
                registered = False
            # A gateway that is not there yet is asked again soon.
            if self.leaving.wait(self.args.lease / 3 if registered else 0.5):
                return

    def leave(self):
        self.leaving.set()
        self.join(timeout=5)
        try:
            self.call("DELETE")
        except (OSError, http.client.HTTPException) as e:
            print(f"hello: {e}", file=sys.stderr, flush=True)


# --- The extension itself ----------------------------------------------------------------------

PAGE = """<!doctype html>
<title>hello</title>
<h1>Hello, {user}</h1>
<p>You came to <code>{path}</code>; the gateway told us:</p>
<pre>{headers}</pre>
"""


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hello"
    sys_version = ""

    def handle_any(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/ws" and self.headers.get("Upgrade", "").lower() == "websocket":
            return self.websocket()
        if url.path == "/stream":
            return self.stream(parse_qs(url.query))
        if "text/html" in self.headers.get("Accept", ""):
            return self.page(url)
        return self.answer("application/json", json.dumps(self.what_arrived(url, body), indent=2) + "\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def lower_headers(self):
        return {name.lower(): value for name, value in self.headers.items()}

    def what_arrived(self, url, body):
        headers = self.lower_headers()
        identity = {name: value for name, value in headers.items() if name.startswith("x-remote-")}
        return {
            "server": "hello",
            "method": self.command,
            "path": url.path,
            "query": url.query,
            "identity": identity,
            "headers": headers,
            "body": body.decode("utf-8", "replace"),
        }

    def page(self, url):
        shown = "\n".join(f"{name}: {value}" for name, value in sorted(self.lower_headers().items()))
        user = self.headers.get("X-Remote-User", "whoever you are")
        self.answer(
            "text/html; charset=utf-8",
            PAGE.format(user=html.escape(user), path=html.escape(url.path), headers=html.escape(shown)),
        )

    def answer(self, content_type, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def stream(self, query):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        for i in range(int(query.get("n", ["10"])[0])):
            self.wfile.write(f"data: {i}\n\n".encode())
            self.wfile.flush()
            time.sleep(int(query.get("ms", ["1000"])[0]) / 1000)

    # --- WebSocket (RFC 6455), as much as an echo needs ---

    def websocket(self):
        key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            frame = self.read_frame()
            if frame is None:
                return
            opcode, data = frame
            if opcode == 9:  # ping
                opcode = 10
            self.write_frame(opcode, data)
            if opcode == 8:  # close
                return

    def read_frame(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        length = head[1] & 127
        if length == 126:
            (length,) = struct.unpack("!H", self.rfile.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.rfile.read(8))
        mask = self.rfile.read(4) if head[1] & 128 else bytes(4)
        data = self.rfile.read(length)
        return head[0] & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    def write_frame(self, opcode, data):
        if len(data) < 126:
            length = struct.pack("!B", len(data))
        elif len(data) < 65536:
            length = struct.pack("!BH", 126, len(data))
        else:
            length = struct.pack("!BQ", 127, len(data))
        self.wfile.write(bytes([128 | opcode]) + length + data)

    def log_message(self, *args):
        pass


def main():
    options = argparse.ArgumentParser(description="A sample extension of ksgate.")
    options.add_argument("--port", type=int, default=0, help="0: any free one")
    options.add_argument("--name", default="hello", help="the extension, as in /extensions/NAME")
    options.add_argument("--id", default=f"hello-{os.getpid()}", help="of this endpoint of it")
    options.add_argument("--lease", type=int, default=15, help="seconds")
    options.add_argument("--admin", help="the gateway's admin socket")
    options.add_argument("--gateway", help="or the gateway's URL ...")
    options.add_argument("--token", default=os.environ.get("KSGATE_TOKEN"), help="... and a token for it")
    args = options.parse_args()

    server = ThreadingHTTPServer(("127.0.0.1", args.port), Hello)
    server.daemon_threads = True
    print(f"hello listens on 127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    if args.admin or args.gateway:
        registration = Registration(args, f"http://127.0.0.1:{server.server_port}")
        registration.start()
        stop.wait()
        registration.leave()
    else:
        stop.wait()


if __name__ == "__main__":
    main()
