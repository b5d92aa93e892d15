"""Logs in to Blaxel: client credentials, and the refresh of a device login (`POST /oauth/token`)."""

from __future__ import annotations

import httpx2

from jobtrail.sources.auth import Flow, Login


class BlaxelToken(Login):
    """A Blaxel access token from `POST {base}/oauth/token`.

    Args:
        url: of the token endpoint.
        grant: the JSON body, such as `{"grant_type": "client_credentials"}`.
        basic: base64 of `id:secret`, for client credentials.
        token: a token that is already at hand, with the seconds it still lives.
    """

    def __init__(
        self,
        url: str,
        grant: dict[str, str],
        *,
        basic: str | None = None,
        token: tuple[str, float] | None = None,
        subject: str,
        settings_advice: str,
    ) -> None:
        super().__init__(subject, settings_advice)
        self._url = url
        self._grant = grant
        self._basic = basic
        if token:
            self.keep_token(*token)

    async def log_in(self, request: httpx2.Request) -> Flow:
        """Ask for a token; a refresh token in the answer replaces the one in the grant."""
        headers = {"Authorization": f"Basic {self._basic}"} if self._basic else {}
        response = yield httpx2.Request(
            "POST", self._url, json=self._grant, headers=headers, extensions=request.extensions
        )
        body = await self.read_json(response)
        if "refresh_token" in self._grant and isinstance(body.get("refresh_token"), str):
            self._grant = {**self._grant, "refresh_token": body["refresh_token"]}
        life = body.get("expires_in")
        self.keep_token(body.get("access_token"), float(life) if isinstance(life, int | float) else 3600.0)
