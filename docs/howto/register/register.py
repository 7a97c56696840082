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
import urllib.error
import urllib.request

log = logging.getLogger("ksgate.register")

# No answer, one that is no HTTP, or a request that can't be made (a token file with two lines, say).
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
        self.path = (f"{gateway.rstrip('/')}/-/apis/ksgate.io/v1/extensionservices/{extension}"
                     f"/endpoints/{id}")
        self.body = {"url": url, "leaseSeconds": lease, "weight": weight, "version": version}
        self.lease, self.token_file = lease, token_file
        self.stopped = threading.Event()
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

    def _call(self, method):
        request = urllib.request.Request(self.path, method=method,
                                         data=json.dumps(self.body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token_file:
            with open(self.token_file) as file:
                request.add_header("Authorization", "Bearer " + file.read().strip())
        with urllib.request.urlopen(request, timeout=max(1, self.lease / 3)) as answer:
            return answer.read()

    @staticmethod
    def _message(error):
        """Of an HTTPError: what the gateway says."""
        try:
            text = error.read().decode(errors="replace")
        except TROUBLE:
            return error.reason  # the answer was cut
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
            return f"{error.code}: {text}"
        except TROUBLE as error:
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
        if known:
            self._leave()

    def _leave(self):
        try:
            self._call("DELETE")
        except urllib.error.HTTPError as error:
            if error.code not in (404, 409):  # it has gone, or another one is there in our place
                log.warning("the gateway could not be told: the lease runs out in %s s", self.lease)
        except TROUBLE:
            log.warning("the gateway could not be told: the lease runs out in %s s", self.lease)


def main(argv):
    if len(argv) not in (5, 6):
        print(__doc__, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="register: %(message)s", stream=sys.stderr)
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the thread: it inherits the mask
    registration = Registration(*argv[1:5], lease=int(os.environ.get("LEASE", "15")),
                                token_file=argv[5] if len(argv) == 6 else None,
                                version=os.environ.get("VERSION", ""))
    with registration:
        while registration.thread.is_alive() and not signal.sigtimedwait(signals, 0.2):
            pass
    return 1 if registration.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
