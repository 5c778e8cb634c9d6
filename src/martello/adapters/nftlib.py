"""libnftables in this process: small changes of a loaded table without a program each."""

from __future__ import annotations

import ctypes
from typing import Final

from martello.adapters.nft import failure
from martello.core.closing import Closing
from martello.core.errors import Unreachable

_LIBRARY: Final = "libnftables.so.1"


class Session(Closing):
    """One context of libnftables, of the network namespace in which it is made. For one thread.

    Raises Unreachable where the library is not installed.
    """

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise Unreachable(f"{_LIBRARY} is not here", str(error), "install nftables") from None
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_ctx_free.argtypes = [ctypes.c_void_p]
        library.nft_ctx_buffer_error.argtypes = [ctypes.c_void_p]
        library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._library = library
        self._context = library.nft_ctx_new(0)
        if not self._context:
            raise Unreachable("libnftables cannot be used here")
        library.nft_ctx_buffer_error(self._context)

    def load(self, text: str) -> None:
        """Load one transaction. Raises as `nft.load` does; nothing was changed then."""
        if self._library.nft_run_cmd_from_buffer(self._context, text.encode()) != 0:
            said = self._library.nft_ctx_get_error_buffer(self._context) or b""
            raise failure(said.decode(errors="replace"))

    def close(self) -> None:
        """Let the context go."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None
