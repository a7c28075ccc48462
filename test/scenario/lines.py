"""Connections that are polled now and then: what they received, and when they ended. And a service that streams forever."""
import contextlib
import select
import ssl
import threading
import time

import h2.exceptions

from h2_peer import H2Client
from harness import SLOW, Service, read_head
from test_websocket import accept_of, handshake, header

TICK = b"tick\n"
HALVES = ("HTTP/1.1 half a head", "HTTP/1.1 half a body")
KINDS = ("HTTP/1.1 idle", "HTTP/1.1 response", "WebSocket", "HTTP/2 idle", "HTTP/2 stream")


class Upstream(Service):
    """Sends ticks below /stream and /ws until `finish` is set; answers ok elsewhere. Records each path."""

    def __init__(self):
        self.finish, self.paths = threading.Event(), []
        super().__init__(self.answer)

    def answer(self, connection):
        while got := read_head(connection):
            path, rest = got[0].split()[1], len(got[1])
            self.paths.append(path)
            while rest < int(header(got[0], "content-length") or 0):
                rest += len(connection.recv(65536))
            if path.startswith("/stream"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                self.tick(connection, b"5\r\n" + TICK + b"\r\n", b"0\r\n\r\n")
            elif path.startswith("/ws"):
                accept = accept_of(header(got[0], "sec-websocket-key"))
                connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
                return self.tick(connection, b"\x82\x05" + TICK, b"\x88\x00")
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")

    def tick(self, connection, piece, end):
        while not self.finish.wait(0.1):
            connection.sendall(piece)
        connection.sendall(end)


class Line:
    """`closed`, `over`, `goaway`: when the connection closed, its open exchange ended, its GOAWAY arrived; None: not yet."""

    def __init__(self):
        self.closed = self.over = self.goaway = None

    def look(self):
        """Reads everything available."""
        while self.closed is None and (piece := self.piece()) is not None:
            if piece:
                self.take(piece)
            else:
                self.closed = time.time()
        if self.over is None and (self.closed or self.finished()):
            self.over = time.time()

    def piece(self):
        """None: nothing to read; empty: end of the connection."""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        if not pending and not select.select([self.sock], [], [], 0)[0]:
            return None
        self.sock.settimeout(0.02)  # readable does not mean that there is application data
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def wait(self):
        select.select([self.sock], [], [], 0.02)
        self.look()

    def opened(self):
        """Waits until data of its stream arrives."""
        until = time.time() + 10 * SLOW
        while not self.ticks():
            assert self.over is None and time.time() < until, f"the stream never began: {self.shown()}"
            self.wait()
        return self


class Http1Line(Line):
    def __init__(self, caller, path=None):
        super().__init__()
        self.sock, self.came, self.closing, self.rest = caller.open(), bytearray(), False, None
        if path:
            self.sock.sendall(handshake(path) if path.startswith("/ws") else self.request(path))
            self.opened()

    def request(self, path):
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def send(self, path):
        """Sends the rest of a half-sent request, or a new request."""
        data, self.rest = self.rest or self.request(path), None
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def begin(self, path, body):
        head = self.request(path)
        if body:
            head = head.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 10\r\n\r\n") + b"0123456789"
        self.sock.sendall(head[:-4])
        self.rest = head[-4:]

    def take(self, piece):
        self.came += piece

    def finished(self):
        return self.came.endswith(b"\r\n0\r\n\r\n")

    def ticks(self):
        return self.came.count(TICK)

    def answers(self):
        return self.came.count(b"HTTP/1.1 ")

    def shown(self):
        return bytes(self.came[-300:])

    def get(self, path):
        """The status; None if there is no response."""
        self.came.clear()
        self.send(path)
        until = time.time() + 10 * SLOW
        while time.time() < until:
            head, found, body = bytes(self.came).partition(b"\r\n\r\n")
            text = head.decode("latin-1")
            if found and len(body) >= int(header(text, "content-length") or 0):
                self.closing = (header(text, "connection") or "").lower() == "close"
                return int(text.split()[1])
            if self.closed:
                return None
            self.wait()
        return None


class Http2Line(Line):
    def __init__(self, caller, path=None):
        super().__init__()
        self.peer, self.came, self.closing, self.stream = H2Client(caller, plain=caller.plain), bytearray(), False, None
        self.sock = self.peer.sock
        if path:
            self.stream = self.peer.request(path)
            self.opened()

    def send(self, path):
        with contextlib.suppress(h2.exceptions.ProtocolError):
            return self.peer.request(path)

    def take(self, piece):
        self.came += piece
        # Frame by frame, since h2 drops frames that follow a GOAWAY in the same call.
        while len(self.came) >= 9 and len(self.came) >= (size := 9 + int.from_bytes(self.came[:3], "big")):
            for event in self.peer.h2.receive_data(bytes(self.came[:size])):
                self.peer.take(event, True)
            del self.came[:size]
        self.peer.flush()
        if self.peer.goaway is not None:
            self.goaway = self.goaway or time.time()

    def finished(self):
        return self.stream is not None and self.peer.answers[self.stream].over

    def ticks(self):
        return self.peer.answers[self.stream].body.count(TICK)

    def shown(self):
        return vars(self.peer.answers[self.stream])

    def get(self, path):
        stream = self.send(path)
        until = time.time() + 10 * SLOW
        while stream and self.closed is None and not self.peer.answers[stream].over and time.time() < until:
            self.wait()
        self.closing = self.goaway is not None
        return self.peer.answers[stream].status if stream else None


def line(caller, kind, name="x"):
    """A connection of this kind: its first request is answered, or half sent, or its stream is running."""
    if kind in HALVES:
        out = Http1Line(caller)
        out.begin(f"/{'body' if 'body' in kind else 'after'}/{name}", "body" in kind)
        return out
    made = Http2Line if kind.startswith("HTTP/2") else Http1Line
    if kind.endswith("idle"):
        out = made(caller)
        status = out.get(f"/before/{name}")
        assert status == 200, f"{kind}: {status}"
        return out
    return made(caller, f"/{'ws' if kind == 'WebSocket' else 'stream'}/{name}")


def watch(lines, until):
    """Polls them in turn until this time."""
    while True:
        for each in lines:
            each.look()
        if time.time() >= until:
            return
        time.sleep(0.02)


def close_all(lines):
    for each in lines:
        each.sock.close()
