"""``nats://HOST/STREAM`` and ``tls://HOST/STREAM``: a stream of NATS JetStream, for fleets.

nats-py carries (``frost-hsm[nats]``; imported when such a board is named). A URI names one server or several, with a
comma between, the stream, and what NATS needs to let somebody in, as files:

    tls://one.example:4222,two.example:4222/FROST?creds=~/alice.creds&ca=/etc/ssl/our-ca.pem

``creds``: a user's JWT and nkey as ``nsc`` writes them · ``nkey``: a seed alone · ``ca`` ``cert`` ``key``: for TLS, in
PEM · ``subject``: where messages are published, else ``STREAM.messages``; for one reader, with their label as one token
more · ``domain``: of JetStream · ``replicas``: of the stream, if it is not there and the first message makes it.

Servers come and go, and a stream's leader changes: what is asked is asked again until it was answered. A message is
published under its SHA-256 and its label as ``Nats-Msg-Id``, so the server drops what was published twice; and
messages are read by their numbers in the stream, so no consumer has to be kept, acknowledged or found again; what is
for others is stepped over. A cursor is such a number, and the instant at which the stream was made.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import parse_qsl

from frost_hsm.boards import MAX_MESSAGES, MAX_SIZE, NOTHING, name_of, require_postable, scheme
from frost_hsm.boards.seen import PassedOver
from frost_hsm.errors import BoardProblem, BoardUnreachable, NotPossible, UsageProblem
from frost_hsm.home_directory import expand

try:
    import nats.errors
    import nats.js.errors
    from nats.aio.client import Client
    from nats.js.api import StreamConfig
except ImportError as error:
    raise BoardProblem("the library nats-py is not installed", hint="pip install 'frost-hsm[nats]'") from error

T = TypeVar("T")

_PATIENCE: Final = 30.0  # seconds in which a cluster has found a new leader, or is away
_ANSWER: Final = 3.0  # seconds for one answer
_AT_ONCE: Final = 64  # messages asked for at a time
_LOOK: Final = 5.0  # seconds between two looks at the stream, should nobody tell of news
_HEADERS: Final = 512  # bytes that go with a message, and count
_WINDOW: Final = 3600.0  # seconds for which the server remembers what was published

_FOR_OTHERS: Final = b""  # what stands for a message of theirs, none of which is empty

_AWAY: Final = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.NoServersError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServiceUnavailableError,
    asyncio.TimeoutError,
    OSError,
)
_FILES: Final = ("creds", "nkey", "ca", "cert", "key")
_TEXTS: Final = ("subject", "domain", "replicas")


class Place(NamedTuple):
    """What a URI names: servers, each with its scheme; the stream; what else it says."""

    servers: list[str]
    stream: str
    options: Mapping[str, str]


class NatsBoard:
    """The stream that the URI names; it is made by the first message if it is not there."""

    def __init__(self, uri: str, cache: Path, reader: str = "") -> None:
        """Connect. cache: not used. Raises `UsageProblem`, `BoardProblem` and `BoardUnreachable`."""
        self._place = _parse(uri)
        self._subject = self._place.options.get("subject", f"{self._place.stream}.messages")
        self._subjects = [self._subject, *([f"{self._subject}.{reader}"] if reader else [])]  # what is read
        self._where: dict[str, int] = {}  # id → number in the stream
        self._looked = 0
        self._largest = MAX_SIZE
        self._passed_over = PassedOver()
        self._patterns: list[str] = []  # the subjects of the stream
        self._news = threading.Event()
        self._complaint = ""  # of the server, to be told when nothing works
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self._client = self._await(self._connect(), 2 * _ANSWER)
        except BaseException as error:
            self._stop()
            if isinstance(error, (*_AWAY, nats.errors.Error)):
                raise self._unreachable(error) from error
            raise
        self._stream = self._client.jetstream(domain=self._place.options.get("domain"), timeout=_ANSWER)
        self._largest = min(MAX_SIZE, int(self._client.max_payload) - _HEADERS)

    async def _connect(self) -> Client:
        options = self._place.options
        client = Client()
        await client.connect(
            self._place.servers,
            name="frost-hsm",
            error_cb=self._on_error,
            reconnected_cb=self._on_reconnect,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=2,
            tls=self._tls(),
            user_credentials=options.get("creds"),
            nkeys_seed=options.get("nkey"),
        )
        if not self._is_private(client):
            await client.close()
            raise BoardProblem(f"{self._title} does not answer with TLS", hint="nothing was sent; name another server")
        for subject in self._subjects:
            await client.subscribe(subject, cb=self._on_message)
        return client

    def _is_private(self, client: Client) -> bool:
        """Whether TLS is spoken where the URI wants it: nats-py leaves that to what the server says of itself."""
        return self._tls() is None or client._server_info.get("tls_required") is True

    def _tls(self) -> ssl.SSLContext | None:
        options = self._place.options
        if not self._place.servers[0].startswith("tls:") and not {"ca", "cert"} & options.keys():
            return None
        try:
            context = ssl.create_default_context(cafile=options.get("ca"))
            if "cert" in options:
                context.load_cert_chain(options["cert"], options.get("key"))
        except (OSError, ssl.SSLError) as error:
            raise BoardProblem(f"cannot use the TLS files of this board: {error}") from error
        return context

    async def _on_error(self, error: Exception) -> None:
        self._complaint = str(error)

    async def _on_reconnect(self) -> None:
        if not self._is_private(self._client):
            self._complaint = "it does not speak TLS any more"
            await self._client.close()
        self._news.set()

    async def _on_message(self, message: object) -> None:
        self._news.set()

    # ── What a board does ──

    @property
    def max_size(self) -> int:
        """Bytes of the largest message: what server and stream take, less what goes with it."""
        self._state()
        return self._most

    @property
    def _most(self) -> int:
        return max(1, self._largest)

    @property
    def passed_over(self) -> Sequence[str]:
        """What is no message."""
        return self._passed_over.lines()

    def post(self, data: bytes, beside: Mapping[str, bytes] = NOTHING) -> None:
        """Publish a message, and before it what lies beside it, until the server says that all is stored."""
        self._require_open()
        is_new = self._state() is None
        require_postable(data, beside, self._most)
        if is_new:
            self._make_stream()
        elif beside:
            self._require_taken(f"{self._subject}.{next(iter(beside))}")
        for label, each in (*beside.items(), ("", data)):
            self._post(each, label)

    def _post(self, data: bytes, label: str) -> None:
        subject = f"{self._subject}.{label}" if label else self._subject
        message_id = f"{name_of(data)}{label}"
        if message_id in self._where and self._holds(self._where[message_id], message_id, subject):
            return
        number, is_duplicate = self._publish(subject, data, message_id)
        if is_duplicate and not self._holds(number, message_id, subject):  # deleted since, or published for others
            number, _ = self._publish(subject, data, f"{message_id}-{secrets.token_hex(8)}")
        self._where[message_id] = number

    def messages(self, since: str = "") -> Iterator[tuple[str, bytes]]:
        """Give what is new since a cursor."""
        self._require_open()
        found = self._state()
        if found is None:
            return
        made, first, last = found
        if self._looked > last:
            self._looked = 0
        self._largest = MAX_SIZE
        start = max(_number(since, made, last) + 1, first)
        given: set[str] = set()
        looked_at, at_once = 0, _AT_ONCE
        while start <= last:
            numbers = range(start, min(start + at_once, last + 1))
            looked_at += len(numbers)
            if looked_at > MAX_MESSAGES:
                raise BoardProblem(
                    f"more than {MAX_MESSAGES} messages lie there", hint="purge the stream, or begin another"
                )
            there = self._read(numbers)
            for number, data in zip(numbers, there, strict=True):
                self._looked = max(self._looked, number)
                if not data or name_of(data) in given:
                    continue
                given.add(name_of(data))
                yield f"{made}:{number}", data
            at_once = 1 if _FOR_OTHERS in there else min(2 * at_once, _AT_ONCE)
            start = numbers.stop
            if there[-1] == _FOR_OTHERS:
                start = self._next(start, last)
                self._looked = max(self._looked, start - 1)

    def wait(self, timeout: float) -> bool:
        """Wait until the server tells of a message; now and then look whether it forgot to."""
        self._require_open()
        deadline = time.monotonic() + timeout
        while True:
            self._news.clear()
            found = self._state()
            if found is not None and found[2] != self._looked:
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._news.wait(min(left, _LOOK))

    def close(self) -> None:
        """Let go."""
        if not self._is_closed:
            self._is_closed = True
            try:
                self._await(self._client.close(), _ANSWER)
            except (*_AWAY, nats.errors.Error, TypeError):
                pass  # it is away already; the TypeError is that of asyncio in Python 3.13, on a connection that broke
            finally:
                self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ── Asking the server ──

    def _publish(self, subject: str, data: bytes, message_id: str) -> tuple[int, bool]:
        """Store a message; returns its number, and whether it was there."""

        async def publish() -> tuple[int, bool]:
            headers = {"Nats-Msg-Id": message_id}
            name = self._place.stream
            done = await self._stream.publish(subject, data, timeout=_ANSWER, stream=name, headers=headers)
            return done.seq, bool(done.duplicate)

        return self._insist(publish)

    def _make_stream(self) -> None:
        config = StreamConfig(
            name=self._place.stream,
            subjects=[self._subject, f"{self._subject}.*"],
            max_msg_size=MAX_SIZE + _HEADERS,
            num_replicas=int(self._place.options.get("replicas", "1")),
            duplicate_window=_WINDOW,
        )
        self._insist(lambda: self._stream.add_stream(config))

    def _require_taken(self, subject: str) -> None:
        """Raise `BoardProblem` for a stream that somebody made without room for what is for one reader."""
        if not any(_covers(pattern, subject) for pattern in self._patterns):
            raise BoardProblem(
                f"{self._title} does not take what is for one reader",
                hint=f"have {self._subject}.* added to its subjects",
            )

    def _state(self) -> tuple[str, int, int] | None:
        """Return when the stream was made, and the numbers of its first and last message; None if there is none."""

        async def state() -> tuple[str, int, int] | None:
            try:
                info = await self._stream.stream_info(self._place.stream)
            except nats.js.errors.NotFoundError:
                return None
            self._patterns = info.config.subjects or []
            if info.config.max_msg_size is not None and info.config.max_msg_size > 0:
                self._largest = min(self._largest, info.config.max_msg_size - _HEADERS)
            return str(info.created).replace(":", "").replace(" ", "T"), info.state.first_seq, info.state.last_seq

        return self._insist(state)

    def _next(self, start: int, last: int) -> int:
        """Return the number of the next message for this reader, from ``start`` on; one after last if there is none."""

        async def following(subject: str) -> int:
            try:
                found = await self._stream.get_msg(self._place.stream, seq=start, subject=subject, next=True)
            except nats.js.errors.NotFoundError:
                return last + 1
            return found.seq or last + 1

        async def first() -> int:
            return min(await asyncio.gather(*map(following, self._subjects)))

        return self._insist(first)

    def _read(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Read messages: `_FOR_OTHERS` for what is, None where there is none."""

        async def read(number: int) -> bytes | None:
            try:
                found = await self._stream.get_msg(self._place.stream, seq=number)
            except nats.js.errors.NotFoundError:  # deleted, or run out
                return None
            data, said = found.data or b"", (found.headers or {}).get("Nats-Msg-Id", "")
            if found.subject not in self._subjects and (found.subject or "").startswith(f"{self._subject}."):
                return _FOR_OTHERS
            if found.subject not in self._subjects or len(said) < 64:
                self._passed_over.note(f"message {number}", "not posted by a program of ours")
            elif not 1 <= len(data) <= MAX_SIZE or name_of(data) != said[:64]:
                self._passed_over.note(f"message {number}", "its contents are not what its id says")
            else:
                self._where[said.partition("-")[0]] = number
                return data
            return None

        async def read_all() -> list[bytes | None]:
            return await asyncio.gather(*map(read, numbers))

        return self._insist(read_all)

    def _holds(self, number: int, message_id: str, subject: str) -> bool:
        """Whether a message lies there, for those who read this subject."""

        async def holds() -> bool:
            try:
                found = await self._stream.get_msg(self._place.stream, seq=number)
            except nats.js.errors.NotFoundError:
                return False
            return found.subject == subject and name_of(found.data or b"") == message_id[:64]

        return self._insist(holds)

    def _insist(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask until there is an answer: a cluster without a leader, or a broken connection, is away for a moment."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._await(question(), 2 * _ANSWER)
            except nats.js.errors.APIError as error:
                if not isinstance(error, _AWAY):
                    raise BoardProblem(f"{self._title} refuses: {error.description or error}") from error
                failure: Exception = error
            except _AWAY as error:
                failure = error
            except (nats.errors.Error, ValueError) as error:
                raise BoardProblem(f"{self._title}: {error}") from error
            if time.monotonic() > deadline:
                raise self._unreachable(failure) from failure
            time.sleep(0.2)

    def _await(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(coroutine, seconds), self._loop).result()

    def _unreachable(self, error: Exception) -> BoardProblem:
        why = self._complaint or str(error) or type(error).__name__
        kind = BoardProblem if "uthorization" in why or "ermission" in why else BoardUnreachable
        return kind(f"{self._title} does not answer: {why}")

    @property
    def _title(self) -> str:
        return f"stream {self._place.stream} at {', '.join(self._place.servers)}"

    def _stop(self) -> None:
        async def end() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise NotPossible("this board is closed")


def _number(cursor: str, made: str, last: int) -> int:
    """Return the number that a cursor of this stream stands for; 0 for any other."""
    instant, _, number = cursor.rpartition(":")
    return int(number) if instant == made and number.isdecimal() and int(number) <= last else 0


def _covers(pattern: str, subject: str) -> bool:
    """Whether a subject is one of a pattern's, which has * for any token and > for all that follow."""
    for wanted, token in zip_longest(pattern.split("."), subject.split(".")):
        if wanted == ">" and token is not None:
            return True
        if token is None or wanted not in ("*", token):
            return False
    return True


def _parse(uri: str) -> Place:
    """Take a URI apart. Raises `UsageProblem`."""
    kind = scheme(uri)
    there, _, query = uri.removeprefix(f"{kind}:").partition("?")
    hosts, _, stream = there.removeprefix("//").partition("/")
    if not there.startswith("//") or not hosts or not stream.replace("-", "").replace("_", "").isalnum():
        raise UsageProblem(f'"{uri}" names no server and stream', hint="it looks like nats://HOST/STREAM")
    if "@" in hosts:
        raise UsageProblem(
            "what lets somebody in does not belong on a command line, where other users see it",
            hint="name a file: ?creds=PATH or ?nkey=PATH",
        )
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    except ValueError:
        raise UsageProblem(f'"{query}" is not of the form NAME=VALUE&NAME=VALUE') from None
    unknown = options.keys() - {*_FILES, *_TEXTS}
    if unknown or not options.get("replicas", "1").isdecimal():
        what = f'"{sorted(unknown)[0]}"' if unknown else '"replicas" of this kind'
        raise UsageProblem(f"a board of NATS knows no {what}", hint=f"it knows {', '.join((*_FILES, *_TEXTS))}")
    for name in options.keys() & set(_FILES):
        options[name] = str(expand(options[name]).absolute())
        if not Path(options[name]).is_file():
            raise UsageProblem(f"there is no file {options[name]}, which the board's URI names as {name}")
    return Place([f"{kind}://{host}" for host in hosts.split(",")], stream, options)
