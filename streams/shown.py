"""How a code that no profile knows is shown to people: it may be anything that the city's system has in that field."""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b

_CODE = re.compile(r"[A-Za-z0-9_. -]{1,32}")
#: Without it, whoever has the log could guess a name or a number and check the guess.
_KEY = secrets.token_bytes(16)


def shown(code: str) -> str:
    """The code itself where it looks like one, else its length and a digest that tells it from others in this process."""
    if _CODE.fullmatch(code):
        return code
    digest = blake2b(code.encode(errors="surrogatepass"), digest_size=4, key=_KEY).hexdigest()
    return f"({len(code)} characters, not a code: {digest})"
