#!/usr/bin/env python3
"""A sample ks-core, as far as a gateway in front of it can tell: people log in, tokens are
minted, and everything else tells what arrived.

    ks_core.py --port 9090 --secret-file FILE

Only the standard library; for demonstrations and tests, not for anything else.
"""
import argparse
import base64
import hashlib
import hmac
import json
import re
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ISSUER = "http://ks-console.kubesphere-system.svc:30880"
TOKEN_SECONDS = 2 * 60 * 60

# What they may do stands in objects.yaml.
USERS = {
    "admin": {"password": "P@88w0rd", "email": "admin@example.com"},
    "alice": {"password": "alice", "email": "alice@example.com"},
    "bob": {"password": "bob", "email": "bob@example.com"},
}
NAMESPACES = {"demo": ["demo-app", "demo-test"], "other": ["other-app"]}


# --- Tokens: HS256, with the claims that ks-core sets ----------------------------------------


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(secret, text):
    return b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def mint(secret, username, token_type, seconds):
    now = int(time.time())
    header = {"alg": "HS256", "typ": "JWT"}
    claims = {
        "iss": ISSUER,
        "sub": username,
        "username": username,
        "token_type": token_type,
        "iat": now,
        "exp": now + seconds,
    }
    text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return text + "." + sign(secret, text)


def claims_of(secret, token, token_type):
    """The claims of a token of ours, or None."""
    try:
        text, _, signature = token.rpartition(".")
        claims = json.loads(unb64(text.split(".")[1]))
    except (ValueError, IndexError):
        return None
    good = (
        hmac.compare_digest(sign(secret, text), signature)
        and claims.get("token_type") == token_type
        and claims.get("exp", 0) > time.time()
    )
    return claims if good else None


class OAuthError(Exception):
    def __init__(self, error, description, status=400):
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


# --- The server --------------------------------------------------------------------------------


class KsCore(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ks-core-sample"
    sys_version = ""
    secret = b""

    # The first pattern that fits answers; what none fits is echoed.
    ROUTES = [
        ("POST", r"/oauth/token", "token"),
        ("GET", r"/oauth/keys", "keys"),
        ("GET", r"/oauth/userinfo", "userinfo"),
        ("GET", r"/\.well-known/openid-configuration", "discovery"),
        ("GET", r"/version|/kapis/version", "version"),
        ("GET", r"/healthz|/livez|/readyz", "healthz"),
        ("GET", r"/kapis/tenant\.kubesphere\.io/v1beta1/workspaces/([^/]+)/namespaces", "namespaces"),
    ]

    def handle_any(self):
        path = urlsplit(self.path).path
        self.body = self.read_body()
        for method, pattern, name in self.ROUTES:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                return getattr(self, name)(*found.groups())
        return self.echo(path)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    # --- /oauth ---

    def token(self):
        form = {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}
        try:
            user = self.who_logs_in(form)
        except OAuthError as e:
            return self.answer(e.body, e.status, no_store=True)
        return self.answer(
            {
                "access_token": mint(self.secret, user, "access_token", TOKEN_SECONDS),
                "token_type": "Bearer",
                "refresh_token": mint(self.secret, user, "refresh_token", 2 * TOKEN_SECONDS),
                "expires_in": TOKEN_SECONDS,
            },
            no_store=True,
        )

    def who_logs_in(self, form):
        grant = form.get("grant_type", "")
        if grant == "password":
            user = USERS.get(form.get("username", ""))
            if user is None or not hmac.compare_digest(user["password"].encode(), form.get("password", "").encode()):
                raise OAuthError("invalid_grant", "the username or the password is wrong")
            return form["username"]
        if grant == "refresh_token":
            claims = claims_of(self.secret, form.get("refresh_token", ""), "refresh_token")
            if claims is None:
                raise OAuthError("invalid_grant", "the refresh token is not valid")
            return claims["username"]
        raise OAuthError("unsupported_grant_type", f"the grant type {grant!r} is not one of password, refresh_token")

    def keys(self):
        # Access tokens are HS256: their key is a shared secret, and nothing to publish.
        self.answer({"keys": []})

    def userinfo(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        claims = claims_of(self.secret, token, "access_token") if scheme.lower() == "bearer" else None
        if claims is None:
            return self.answer({"error": "invalid_token", "error_description": "a valid bearer token is required"}, 401)
        name = claims["username"]
        return self.answer({"sub": name, "name": name, "email": USERS[name]["email"], "preferred_username": name})

    def discovery(self):
        self.answer(
            {
                "issuer": ISSUER,
                "authorization_endpoint": ISSUER + "/oauth/authorize",
                "token_endpoint": ISSUER + "/oauth/token",
                "userinfo_endpoint": ISSUER + "/oauth/userinfo",
                "jwks_uri": ISSUER + "/oauth/keys",
                "response_types_supported": ["code", "id_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "grant_types_supported": ["password", "refresh_token"],
            }
        )

    # --- Resources ---

    def version(self):
        self.answer({"gitVersion": "v4.1.3-sample", "platform": "linux/amd64", "kubernetes": {"gitVersion": "v1.30.0"}})

    def healthz(self):
        self.answer({"status": "ok"})

    def namespaces(self, workspace):
        if workspace not in NAMESPACES:
            return self.answer(status_object(404, "NotFound", f'workspaces "{workspace}" not found'), 404)
        items = [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubesphere.io/workspace": workspace}},
            }
            for name in NAMESPACES[workspace]
        ]
        return self.answer({"items": items, "totalItems": len(items)})

    def echo(self, path):
        """What arrived, for who wants to see what the gateway passed on."""
        self.answer(
            {
                "server": "ks-core",
                "method": self.command,
                "path": path,
                "query": urlsplit(self.path).query,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": self.body.decode("utf-8", "replace"),
            }
        )

    # --- HTTP ---

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, value, status=200, no_store=False):
        body = (json.dumps(value, indent=2) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if no_store:
            self.send_header("Cache-Control", "no-store")
            self.send_header("Pragma", "no-cache")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def status_object(code, reason, message):
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def main():
    options = argparse.ArgumentParser(description="A sample ks-core.")
    options.add_argument("--port", type=int, default=9090)
    options.add_argument("--secret-file", required=True, help="the secret that tokens are signed with")
    args = options.parse_args()
    with open(args.secret_file, "rb") as file:
        KsCore.secret = file.read().strip()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", args.port), KsCore)
    server.daemon_threads = True
    print(f"ks-core listens on 127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
