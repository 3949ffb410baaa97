"""HTTP(S) and file access as pip is configured to do it, on the standard library."""

from __future__ import annotations

import base64
import contextlib
import http.client
import netrc
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeavatar.errors import InstallError
from edgeavatar.installing.pip_settings import PipSettings

TRANSPORT_ERRORS = (OSError, http.client.HTTPException, ValueError)
"""What a request raises: URLError and timeouts are OSErrors, a malformed address a ValueError."""

_TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 520, 524, 527})
_BACKOFF_S = 0.25
"""First pause between attempts, doubled each time; pip's own."""
_BACKOFF_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that has begun."""

    url: str
    """After redirects, without credentials."""
    status: int
    """200 for a local file."""
    headers: Mapping[str, str]
    """By lower-case name."""
    stream: IO[bytes]


class Transport:
    """Opens addresses with the proxy, certificates and credentials of a pip configuration.

    Parameters
    ----------
    settings
        pip's configuration.
    sleep
        Waits between attempts.

    Raises
    ------
    InstallError
        If a configured certificate cannot be read, or the proxy is a SOCKS proxy.
    """

    def __init__(
        self, settings: PipSettings, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._timeout_s = settings.timeout_s
        self._retries = settings.retries
        self._sleep = sleep
        self._credentials = _Credentials((*settings.index_urls, *settings.find_links))
        proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
        if settings.proxy and settings.proxy.lower().startswith("socks"):
            raise InstallError(
                f"the proxy {redact(settings.proxy)} of pip's configuration is a SOCKS proxy; "
                "only an HTTP proxy can be used here: install from a bundle instead with "
                "edgeavatar models install --from BUNDLE.tar"
            )
        # Built by hand, so that FTP and data: addresses are not understood.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(_with_scheme(proxies) if proxies else None),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPHandler(),
            _TrustingHTTPSHandler(settings),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            self._credentials,
        ):
            self._opener.add_handler(handler)

    @contextlib.contextmanager
    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Response]:
        """Open ``url`` (http, https or file).

        Raises
        ------
        urllib.error.HTTPError
            If the server answers with an error status.
        OSError, http.client.HTTPException
            If the connection fails.
        """
        if url.lower().startswith("file:"):
            path = file_url_path(url)
            with path.open("rb") as stream:
                size = str(path.stat().st_size)
                yield Response(url, 200, {"content-length": size}, stream)
            return
        self._credentials.learn(url)
        request = urllib.request.Request(without_credentials(url), headers=dict(headers or {}))
        request.add_header("User-Agent", "edgeavatar")
        request.add_header("Accept-Encoding", "identity")
        try:
            answer = self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            # It holds the connection.
            error.close()
            raise
        with answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            yield Response(answer.url, answer.status, names, answer)

    def read(
        self, url: str, headers: Mapping[str, str], limit_bytes: int
    ) -> tuple[bytes, Response]:
        """Return the whole body of an answer, at most ``limit_bytes`` of it, and the answer.

        A failure that may pass is tried again as often as pip would.

        Raises
        ------
        OSError, http.client.HTTPException, ValueError
            The last failure.
        """
        failures = 0
        while True:
            try:
                with self.open(url, headers) as response:
                    return response.stream.read(limit_bytes), response
            except TRANSPORT_ERRORS as error:
                failures += 1
                if not self.may_retry(error, failures):
                    raise

    def may_retry(self, error: Exception | None, failures: int) -> bool:
        """Wait and return True if another attempt makes sense after ``failures`` failed ones.

        Parameters
        ----------
        error
            What the last attempt raised; None if the connection closed early.
        failures
            Attempts that failed, the last one included.
        """
        if failures > self._retries or not _is_transient(error):
            return False
        self._sleep(min(_BACKOFF_S * 2 ** (failures - 1), _BACKOFF_LIMIT_S))
        return True


def _is_transient(error: Exception | None) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _TRANSIENT_STATUSES
    if isinstance(error, urllib.error.URLError):
        return not isinstance(error.reason, ssl.SSLCertVerificationError)
    return not isinstance(
        error, FileNotFoundError | IsADirectoryError | PermissionError | ValueError
    )


class _TrustingHTTPSHandler(urllib.request.HTTPSHandler):
    """Checks certificates as configured, and not at all for trusted hosts."""

    def __init__(self, settings: PipSettings) -> None:
        super().__init__()
        self._trusted_hosts = settings.trusted_hosts
        self._strict = _ssl_context(settings, check=True)
        self._lax = _ssl_context(settings, check=False)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        # A proxied request names the proxy as its host and the server as the host of the tunnel.
        netloc = (getattr(request, "_tunnel_host", None) or request.host).lower()
        host = netloc.rsplit(":", 1)[0] if not netloc.endswith("]") else netloc
        trusted = netloc in self._trusted_hosts or host in self._trusted_hosts
        return self.do_open(
            http.client.HTTPSConnection, request, context=self._lax if trusted else self._strict
        )


def _ssl_context(settings: PipSettings, *, check: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if settings.cert is not None and settings.cert.is_dir():
            context.load_verify_locations(capath=settings.cert)
        elif settings.cert is not None:
            context = ssl.create_default_context(cafile=settings.cert)
        if settings.client_cert is not None:
            context.load_cert_chain(settings.client_cert)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(path) for path in (settings.cert, settings.client_cert) if path)
        raise InstallError(
            f"the certificates of pip's configuration cannot be read: {names}: {error}"
        ) from None
    if not check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Credentials(urllib.request.BaseHandler):
    """Adds a user's name and password for the server they belong to, and for no other.

    They come from addresses of the configuration, or from the user's netrc file. The header is made
    anew for each request of a redirect chain, so that another host never sees it.
    """

    handler_order = 400

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        for url in urls:
            self.learn(url)
        try:
            self._netrc: netrc.netrc | None = netrc.netrc()
        except (OSError, netrc.NetrcParseError):
            self._netrc = None

    def learn(self, url: str) -> None:
        """Remember the credentials written in ``url``, if any."""
        parts = urllib.parse.urlsplit(url)
        if parts.username is not None:
            user = urllib.parse.unquote(parts.username)
            password = urllib.parse.unquote(parts.password or "")
            self._known[parts.scheme, _host(parts)] = (user, password)

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        parts = urllib.parse.urlsplit(request.full_url)
        found = self._known.get((parts.scheme, _host(parts)))
        if found is None and self._netrc is not None and parts.hostname:
            entry = self._netrc.authenticators(parts.hostname)
            found = (entry[0], entry[2] or "") if entry else None
        if found is not None:
            token = base64.b64encode(f"{found[0]}:{found[1]}".encode()).decode("ascii")
            request.add_unredirected_header("Authorization", f"Basic {token}")
        return request

    https_request = http_request


def _host(parts: urllib.parse.SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _with_scheme(proxies: dict[str, Any]) -> dict[str, str]:
    return {
        scheme: address if "://" in address else f"http://{address}"
        for scheme, address in proxies.items()
    }


def without_credentials(url: str) -> str:
    """Return ``url`` without user name and password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def redact(url: str) -> str:
    """Return ``url`` as it may be shown: without credentials, query and fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        # What cannot be taken apart may hold a password anywhere.
        return "a malformed address"
    netloc = parts.netloc.rpartition("@")[2]
    if netloc != parts.netloc:
        netloc = f"****@{netloc}"
    return urllib.parse.urlunsplit(parts._replace(netloc=netloc, query="", fragment=""))


def file_url_path(url: str) -> Path:
    """Return the local path of a ``file:`` address.

    Raises
    ------
    InstallError
        If it names another host.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InstallError(f"a file address of another host cannot be read: {url}")
    return Path(urllib.request.url2pathname(parts.path))


def describe_failure(error: Exception) -> str:
    """Return one phrase for what a request raised."""
    if isinstance(error, urllib.error.HTTPError):
        return f"answer {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__
