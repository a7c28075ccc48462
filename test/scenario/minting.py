"""Keys and certificates, sound and unsound, with a validity to the second."""
import datetime
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LONG = 86400
SHA256, SHA1, MD5 = hashes.SHA256(), hashes.SHA1(), hashes.MD5()


def ec_key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


def rsa_key(bits):
    return rsa.generate_private_key(65537, bits)


def in_seconds(seconds):
    """A time as certificates have it: whole seconds since 1970."""
    return int(time.time() + seconds)


class Minted:
    """A certificate with its key and its issuers."""

    def __init__(self, key, certificate, issuer, expires):
        self.key, self.certificate, self.issuer, self.expires = key, certificate, issuer, expires

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

    def chain(self, *more):
        """The chain a client sends: this certificate, its issuers except the root, then unneeded ones (`more`)."""
        out, at = self.pem, self.issuer
        while at and at.issuer:
            out, at = out + at.pem, at.issuer
        return out + "".join(one.pem for one in more)


def usage(ca):
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
                         key_agreement=False, encipher_only=False, decipher_only=False)


def mint(name, issuer=None, ca=False, uri=None, dns=(), names=(), expires=None, key=None, digest=SHA256, identifiers=True):
    """`issuer` None: self-signed. `names`: common names instead of `name`. `identifiers` False: without key identifiers, which tell apart keys of one name."""
    key = key or ec_key()
    expires = expires or in_seconds(LONG)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one) for one in names or [name]])
    signer = issuer.key if issuer else key
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.certificate.subject if issuer else subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime.utcfromtimestamp(in_seconds(-3600)))
               .not_valid_after(datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=expires))
               .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).add_extension(usage(ca), critical=True))
    if identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    if uri or dns:
        others = [x509.UniformResourceIdentifier(uri)] if uri else []
        builder = builder.add_extension(x509.SubjectAlternativeName(others + [x509.DNSName(one) for one in dns]), critical=False)
    return Minted(key, builder.sign(signer, digest), issuer, expires)


def root(name="root", **more):
    return mint(name, ca=True, **more)


def between(issuer, name="between", **more):
    """An intermediate."""
    return mint(name, issuer, ca=True, **more)


def leaf(issuer, uri="spiffe://example.org/frontend", **more):
    return mint("leaf", issuer, uri=uri, **more)
