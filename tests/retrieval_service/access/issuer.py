"""A real OpenID Connect issuer on loopback: discovery, rotating keys, tokens, and misbehaviour on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "plumbline-test"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issuer:
    """Answers on a port of its own until it is stopped; ``asked`` counts what was fetched."""

    def __init__(self, port: int = 0) -> None:
        self.keys: dict[str, PrivateKey] = {}
        self.extra_keys: list[dict[str, object]] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                status, headers, body = issuer.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.rotate("first")

    def stop(self) -> None:
        """Be gone; once more is no harm."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self, kid: str, *, elliptic: bool = False) -> None:
        """Publish one key in place of all others."""
        key: PrivateKey = ec.generate_private_key(ec.SECP256R1()) if elliptic else rsa.generate_private_key(65537, 2048)
        self.keys = {kid: key}

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What a path gives."""
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, {}, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}).encode()
        if path == "/jwks":
            return 200, {}, json.dumps({"keys": [*self.extra_keys, *(self._public(kid) for kid in self.keys)]}).encode()
        return 404, {}, b""

    def token(self, claims: Mapping[str, object] | None = None, *, header: Mapping[str, object] | None = None) -> str:
        """A token signed with a key; a claim that is None is left out, and one that is a span of time is that far from now."""
        (kid, key), *_ = self.keys.items()
        at = int(time.time())
        all_claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": "jane@example.org", "iat": at, "nbf": at, "exp": at + 300, "scope": "openid search",
            **(claims or {}),
        }  # fmt: skip
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        given = {
            name: at + value.seconds + 86_400 * value.days if isinstance(value, timedelta) else value
            for name, value in all_claims.items()
            if value is not None
        }
        return jwt.encode(given, key, algorithm, headers={"kid": kid, **(header or {})})

    def _public(self, kid: str) -> dict[str, object]:
        key = self.keys[kid]
        if isinstance(key, rsa.RSAPrivateKey):
            made: dict[str, object] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            made = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        made.pop("key_ops", None)
        return {**made, "kid": kid, "use": "sig", "alg": "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"}
