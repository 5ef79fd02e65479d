"""The file of certificates that the environment names.

libgit2 reads it when it is imported, which nearly every command does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gitstore.errors import BadRequest
from gitstore.format.layout import shown

VARIABLE = "SSL_CERT_FILE"


def require_certificates(variables: Mapping[str, str]) -> None:
    """Raise if the file that *variables* name can't be used. One that is missing is ignored.

    Raises:
        BadRequest: it has no certificates.
    """
    path = variables.get(VARIABLE)
    if not path or not os.path.isfile(path):
        return
    # Imported here: without the variable, it would only cost time.
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise BadRequest(
            f"{VARIABLE} names {shown(path)}, which has no certificates that can be read ({why});"
            " name a file in PEM, or unset the variable"
        ) from None
