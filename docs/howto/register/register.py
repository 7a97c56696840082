"""Keeps a backend registered at ksgate.  Python 3.7 or later, nothing but the standard library.

In a service:

    with Registration("http://gateway:8080", "devops", "pod-7f9c", "http://10.0.0.7:8080",
                      token_file="/etc/devops/token"):
        serve()

By itself:  python3 register.py GATEWAY EXTENSION ID URL [TOKEN_FILE]
"""
import http.client
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

log = logging.getLogger("ksgate.register")

CALL_SECONDS = 5  # the longest request, however long the lease
LEAVE_SECONDS = 2  # for the farewell: who stops us may not wait long
MESSAGE_BYTES = 65536

# No answer, one that is no HTTP, or a request that can't be made (there is no token file, say).
TROUBLE = (OSError, urllib.error.URLError, http.client.HTTPException, ValueError)


class Refused(Exception):
    """What is asked is wrong, and will not become right by asking again."""


class Registration:
    """Registers on entry, renews in a thread of its own, and leaves on exit.

    The lease (seconds) is how long the gateway keeps the backend without hearing from it; it is
    renewed at a third of that.  The version is the extension's, as spec.versions names it.  The token
    file is read at each request, so it may rotate.
    """

    def __init__(self, gateway, extension, id, url, lease=15, weight=1, token_file=None,
                 version=""):
        if not 2 <= lease <= 3600:
            raise ValueError(f"a lease of {lease}: it takes 2 to 3600, in seconds")
        extension, id = (urllib.parse.quote(part, safe="") for part in (extension, id))
        self.path = (f"{gateway.rstrip('/')}/-/apis/ksgate.io/v1/extensionservices/{extension}"
                     f"/endpoints/{id}")
        self.body = {"url": url, "leaseSeconds": lease, "weight": weight, "version": version}
        self.lease, self.token_file = lease, token_file
        self.seconds = min(CALL_SECONDS, lease / 3)  # of one request
        self.stopped = threading.Event()
        self.unsure = False  # a request had no answer, or 5xx: it may have been taken all the same
        self.failure = None  # a Refused that ended the thread
        self.thread = threading.Thread(target=self._keep, name="ksgate-register", daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stopped.set()
        self.thread.join()

    def drain(self):
        """No new requests come from now on; those that run go on."""
        self.body["draining"] = True
        self._call("PUT")

    def _token(self):
        """The first line of the token file.  No message shows it."""
        with open(self.token_file, encoding="latin-1") as file:
            token = file.readline().strip()
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError(f"{self.token_file}: no token is in it")
        return token

    def _call(self, method, seconds=None):
        request = urllib.request.Request(self.path, method=method,
                                         data=json.dumps(self.body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token_file:
            request.add_header("Authorization", "Bearer " + self._token())
        with urllib.request.urlopen(request, timeout=seconds or self.seconds):
            pass  # the status says it all, and what follows might not end

    def _message(self, error):
        """Of an HTTPError: what the gateway says, as far as it says it in time."""
        text, until = b"", time.monotonic() + self.seconds
        try:
            piece = error.read1(MESSAGE_BYTES)
            while piece and len(text) < MESSAGE_BYTES and time.monotonic() < until:
                text += piece
                piece = error.read1(MESSAGE_BYTES)
        except TROUBLE:
            return error.reason  # the answer was cut
        finally:
            error.close()
        text = text.decode(errors="replace")
        try:
            return json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            return text

    def _put(self):
        """None, or why it did not work this time.  Raises Refused."""
        try:
            self._call("PUT")
        except urllib.error.HTTPError as error:
            text = self._message(error)
            if error.code in (400, 409, 413, 422):
                raise Refused(f"{error.code}: {text}") from None
            self.unsure = self.unsure or error.code >= 500
            return f"{error.code}: {text}"
        except TROUBLE as error:
            self.unsure = True
            return str(getattr(error, "reason", None) or error or type(error).__name__)
        return None

    def _keep(self):
        pause, known, trouble = 0.0, False, False
        while not self.stopped.wait(pause):
            try:
                why = self._put()
            except Refused as refused:
                self.failure = refused
                log.error("refused: %s", refused)
                return
            if why is None:
                if not known or trouble:
                    log.info("registered%s", " again" if known else "")
                known, trouble, pause = True, False, self.lease / 3
            else:
                if not trouble:
                    log.warning("%s; trying again until it works", why)
                pause = min(self.lease / 3, 2 * pause if trouble else 0.5)
                pause *= random.uniform(0.8, 1)  # not all at once when the gateway is back
                trouble = True
        if (known or self.unsure) and not self._leave() and known:
            log.warning("the gateway could not be told: the lease runs out in %s s", self.lease)

    def _leave(self):
        try:
            self._call("DELETE", LEAVE_SECONDS)
        except urllib.error.HTTPError as error:
            return error.code in (404, 409)  # it has gone, or another one is there in our place
        except TROUBLE:
            return False
        return True


def main(argv):
    if len(argv) not in (5, 6) or not argv[2] or not argv[3]:
        print(__doc__, file=sys.stderr)
        return 2
    lease = os.environ.get("LEASE", "15")
    if not (lease.isascii() and lease.isdigit() and 2 <= int(lease) <= 3600):
        print(f"register: LEASE={lease}: it takes 2 to 3600, in seconds", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="register: %(message)s", stream=sys.stderr)
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the thread: it inherits the mask
    registration = Registration(*argv[1:5], lease=int(lease),
                                token_file=argv[5] if len(argv) == 6 else None,
                                version=os.environ.get("VERSION", ""))
    with registration:
        while registration.thread.is_alive() and not signal.sigtimedwait(signals, 0.2):
            pass
    return 1 if registration.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
