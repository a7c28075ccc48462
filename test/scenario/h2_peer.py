"""HTTP/2 peers (python3-h2): a client that can break every rule, and a service with scripted responses."""
import contextlib
import socket
import ssl
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from harness import SLOW

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Answer:
    """What was received on one stream."""

    def __init__(self):
        self.status, self.headers, self.trailers, self.body = None, {}, {}, bytearray()
        self.interims, self.ended, self.reset = [], False, None

    @property
    def over(self):
        return self.ended or self.reset is not None


class H2Client:
    """One connection. Outbound headers are sent as given, valid or not."""

    def __init__(self, y, who="frontend", plain=False, timeout=10):
        self.sock = y.raw(timeout)
        if not plain:
            context = y.context(who)
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
            assert self.sock.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False,
            validate_inbound_headers=True))
        self.answers, self.goaway, self.closed, self.extended_connect = {}, None, False, False
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        with contextlib.suppress(OSError):
            self.sock.sendall(self.h2.data_to_send())

    def request(self, path="/", method="GET", headers=(), body=None, end=True, authority="localhost", pseudo=None):
        stream = self.h2.get_next_available_stream_id()
        fields = pseudo if pseudo is not None else [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, list(fields) + list(headers), end_stream=body is None and end)
        self.flush()
        if body is not None:
            self.send(stream, body, end)
        return stream

    def send(self, stream, body, end=False):
        """Sends within the peer's flow control windows; reads when they are exhausted."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room <= 0:
                if self.answers[stream].over or not self.read():
                    return
                continue
            self.h2.send_data(stream, body[:room])
            body = body[room:]
            self.flush()
        if end:
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self.h2.end_stream(stream)
        self.flush()

    def read(self, give_back=True):
        """Reads once from the socket. False at the end of the connection."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            self.take(event, give_back)
        self.flush()
        return True

    def take(self, event, give_back):
        stream = getattr(event, "stream_id", None)
        answer = self.answers.setdefault(stream, Answer())
        if isinstance(event, h2.events.ResponseReceived):
            answer.headers = dict(event.headers)
            answer.status = int(answer.headers[":status"])
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interims.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if give_back:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN  # h2 forgets that open streams continue
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            setting = event.changed_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
            self.extended_connect = self.extended_connect or bool(setting and setting.new_value)

    def wait(self, stream, seconds=10):
        answer = self.answers[stream]
        end = time.monotonic() + seconds * SLOW
        while not answer.over and not self.closed and time.monotonic() < end:
            try:
                self.read()
            except h2.exceptions.ProtocolError as error:
                raise AssertionError(f"yett broke the rules of HTTP/2: {error}") from error
        return answer

    def get(self, path="/", **more):
        return self.wait(self.request(path, **more))

    def raw(self, data):
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class H2Service:
    """An upstream that speaks HTTP/2 with prior knowledge. Calls handle(service connection, stream, headers, body) for each
    complete request and early(…, stream, headers) once its head is complete."""

    def __init__(self, handle, early=None, websockets=False):
        self.handle, self.early, self.websockets = handle, early, websockets
        self.connections = 0
        self.server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.requests = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        connection.sock = sock
        if self.websockets:  # RFC 8441 3
            connection.local_settings = h2.settings.Settings(client=False, initial_values={**dict(connection.local_settings), h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        connection.initiate_connection()
        heads, bodies, waiting = {}, {}, {}

        def respond(stream, body, trailers=None):
            """Sends the body and the end of a response as the flow control windows allow."""
            waiting[stream] = [memoryview(body), trailers]
            pump()

        def pump():
            for stream in list(waiting):
                body, trailers = waiting[stream]
                with contextlib.suppress(h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError):
                    while body:
                        room = min(connection.local_flow_control_window(stream), 16384)
                        if room <= 0:
                            break
                        connection.send_data(stream, bytes(body[:room]))
                        body = body[room:]
                    waiting[stream][0] = body
                    if body:
                        continue
                    if trailers:
                        connection.send_headers(stream, trailers, end_stream=True)
                    else:
                        connection.end_stream(stream)
                del waiting[stream]

        connection.respond = respond
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            while True:
                sock.sendall(connection.data_to_send())
                data = sock.recv(65536)
                if not data:
                    return
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        heads[event.stream_id], bodies[event.stream_id] = event.headers, b""
                        if self.early:
                            self.early(connection, event.stream_id, dict(event.headers))
                    elif isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        headers = heads.pop(event.stream_id)
                        self.requests.append(headers)
                        self.handle(connection, event.stream_id, headers, bodies.pop(event.stream_id))
                pump()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
