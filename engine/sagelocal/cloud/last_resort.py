"""What a client is told when an app of ours breaks."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)
_BODY = b"<Error><Code>InternalError</Code><Message>A bug of sagelocal: its own output says more.</Message></Error>"


def guarded(app: ASGIApp) -> ASGIApp:
    """The app, whose bugs go to our own log; the client gets a 500 without their insides, or a broken answer.

    A client that goes in the middle of its body is no bug: nobody is left to be told.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            await send(message)  # first: what cannot be sent has not begun
            begun = True

        try:
            await app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception:  # the last place where a client can be told
            if begun:
                raise
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            await _tell(send)

    return answer


async def _tell(send: Send) -> None:
    headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(_BODY)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})
