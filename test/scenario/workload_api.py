"""A double of the SPIFFE Workload API (python3-grpcio) on a Unix socket: rotates, withdraws, refuses, goes away, comes back."""
import concurrent.futures
import contextlib
import json
import pathlib
import socket
import threading

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from minting import leaf, root

DER = serialization.Encoding.DER


def field(number, value):
    """A protobuf field of bytes."""
    value = value.encode() if isinstance(value, str) else value
    size, length = b"", len(value)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + value


def der(minted):
    return minted.certificate.public_bytes(DER)


def chain(minted):
    out, at = der(minted), minted.issuer
    while at and at.issuer:
        out, at = out + der(at), at.issuer
    return out


def key_of(minted):
    return minted.key.private_bytes(DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def entries(number, by_domain):
    return b"".join(field(number, field(1, f"spiffe://{domain}") + field(2, value)) for domain, value in by_domain.items())


class Authority:
    """A trust domain."""

    def __init__(self, domain="example.org"):
        self.domain, self.roots = domain, [root(domain)]

    def issue(self, name="server", **more):
        return leaf(self.roots[-1], uri=f"spiffe://{self.domain}/{name}", **more)

    def rotate(self):
        """A new key signs from now on; those before stay trusted."""
        self.roots.append(root(self.domain))

    @property
    def bundle(self):
        return b"".join(der(one) for one in self.roots)

    @property
    def pem(self):
        return "".join(one.pem for one in self.roots)


def svids_message(svids, bundle, federated=None, crls=()):
    """X509SVIDResponse. `svids`: leaves."""
    out = b""
    for svid in svids:
        uri = svid.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0].value
        out += field(1, field(1, uri) + field(2, chain(svid)) + field(3, key_of(svid)) + field(4, bundle))
    return out + b"".join(field(2, crl) for crl in crls) + entries(3, federated or {})


class WorkloadApi:
    """Answers FetchX509SVID, FetchX509Bundles and FetchJWTBundles with what it was last given, to all streams."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.changed = threading.Condition()
        self.messages = {}   # by method: the bytes of the newest message
        self.refusals = {}   # by method: code and text
        self.version = 0
        self.jwt_svid = None  # called with the audiences and the SPIFFE ID of a request; its answer: SPIFFE ID and token
        self.opened, self.headers = [], []
        self.server = None

    def give(self, method, message):
        """`message` None: the method is not implemented."""
        with self.changed:
            self.messages[method] = message
            self.refusals.pop(method, None)
            self.version += 1
            self.changed.notify_all()

    def give_svid(self, svid, authority, **more):
        self.give("FetchX509SVID", svids_message([svid], authority.bundle, **more))

    def give_bundles(self, **by_domain):
        self.give("FetchX509Bundles", entries(2, by_domain))

    def give_jwt_bundles(self, **by_domain):
        self.give("FetchJWTBundles", entries(1, {domain: json.dumps(keys) for domain, keys in by_domain.items()}))

    def refuse(self, method, code, text):
        """Ends the streams of the method, and refuses new ones."""
        with self.changed:
            self.refusals[method] = (code, text)
            self.version += 1
            self.changed.notify_all()

    def stream(self, method, context):
        with self.changed:
            self.opened.append(method)
            self.headers.append(dict(context.invocation_metadata()))
        sent = None
        while context.is_active():
            with self.changed:
                refusal, message = self.refusals.get(method), self.messages.get(method)
                if refusal is None and message is sent and method in self.messages:
                    self.changed.wait(0.1)
                    continue
            if refusal is not None:
                context.abort(*refusal)
            if message is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method")
            sent = message
            yield message

    def one_jwt_svid(self, request, context):
        fields = {}
        while request:
            number, size = request[0] >> 3, request[1]
            fields.setdefault(number, []).append(request[2:2 + size].decode())
            request = request[2 + size:]
        if self.jwt_svid is None:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
        spiffe_id, token = self.jwt_svid(fields.get(1, []), "".join(fields.get(2, [])))
        return field(1, field(1, spiffe_id) + field(2, token))

    def start(self):
        api = self

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                service, _, method = details.method.strip("/").partition("/")
                if service == "SpiffeWorkloadAPI" and method == "FetchJWTSVID":
                    return grpc.unary_unary_rpc_method_handler(api.one_jwt_svid)
                if service != "SpiffeWorkloadAPI" or method not in ("FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"):
                    return None
                return grpc.unary_stream_rpc_method_handler(lambda _, context: api.stream(method, context))

        self.path.unlink(missing_ok=True)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
        self.server.add_generic_rpc_handlers((Handler(),))
        self.server.add_insecure_port(f"unix://{self.path}")
        self.server.start()
        self.path.chmod(0o777)
        return self

    def stop(self, killed=False):
        """`killed`: the file of the socket stays, as after kill -9."""
        if self.server is None:
            return
        self.server.stop(0).wait()
        self.server = None
        if killed:
            self.path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(str(self.path))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        with contextlib.suppress(OSError):
            self.path.unlink()
