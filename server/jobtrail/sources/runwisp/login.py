"""Logs in to RunWisp 1.x by challenge and response (`/api/auth/challenge`, `/api/auth/login`)."""

from __future__ import annotations

import hashlib

import anyio.to_thread
import httpx2

from jobtrail.sources.auth import Flow, Login

_PBKDF2_ROUNDS = 600_000


class RunWispLogin(Login):
    """A RunWisp session token by challenge and response; it lives 24 hours."""

    def __init__(self, base_url: str, password: str, *, subject: str, settings_advice: str) -> None:
        super().__init__(subject, settings_advice)
        self._base = base_url.rstrip("/")
        self._password = password

    async def log_in(self, request: httpx2.Request) -> Flow:
        """Fetch a nonce, answer it, keep the token."""
        response = yield httpx2.Request("GET", f"{self._base}/api/auth/challenge", extensions=request.extensions)
        nonce = (await self.read_json(response)).get("nonce")
        if not isinstance(nonce, str) or not nonce.isascii():
            raise self.make_unreadable_error("gave no challenge to log in with")
        proof = await anyio.to_thread.run_sync(self._compute_proof, nonce)
        response = yield httpx2.Request(
            "POST",
            f"{self._base}/api/auth/login",
            json={"nonce": nonce, "response": proof},
            extensions=request.extensions,
        )
        body = await self.read_json(response)
        self.keep_token(body.get("token"), 24 * 3600.0)

    def _compute_proof(self, nonce: str) -> str:
        return hashlib.pbkdf2_hmac("sha256", self._password.encode(), nonce.encode(), _PBKDF2_ROUNDS, 32).hex()
