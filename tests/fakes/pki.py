# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities, server and client certificates, all on EC P-256."""

import base64
import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1")
DAY = datetime.timedelta(days=1)


def subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Pair:
    """A certificate with its private key, both as PEM."""

    cert: bytes
    key: bytes

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        cert, key = folder / f"{stem}.crt", folder / f"{stem}.key"
        cert.write_bytes(self.cert)
        key.write_bytes(self.key)
        key.chmod(0o600)
        return cert, key

    def key_traces(self) -> dict[str, bytes]:
        """Every form in which the private key could lie about in memory."""
        private = serialization.load_pem_private_key(self.key, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        scalar = private.private_numbers().private_value.to_bytes(32, "big")
        der = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        body = b"".join(self.key.splitlines()[1:-1])
        at = der.index(scalar)
        # The base64 piece that holds nothing but bytes of the scalar.
        piece = base64.b64encode(der)[(at // 3 + 1) * 4 : ((at + 32) // 3) * 4]
        assert piece in body
        return {
            "scalar": scalar,
            "scalar in limbs": scalar[::-1],
            "DER": der[at - 4 : at + 32],
            "PEM": piece,
        }


class Authority:
    def __init__(self, name: str = "test CA") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = subject(name)
        self.cert = self._sign(self.name, self.key, (-DAY, 3650 * DAY), self._ca_extensions(2))

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.pem)
        return path

    def intermediate(self, name: str) -> "Authority":
        """Another, that this one has signed."""
        made = Authority(name)
        made.cert = self._sign(made.name, made.key, (-DAY, 30 * DAY), self._ca_extensions(0))
        return made

    def server(self, *names: str, expired: bool = False) -> Pair:
        names = names or LOOPBACK
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        alternatives = x509.SubjectAlternativeName([general_name(n) for n in names])
        return self._leaf(names[0], [(usage, False), (alternatives, False)], expired)

    def client(
        self, common_name: str = "sidekey", expired: bool = False, days: float = 30
    ) -> Pair:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._leaf(common_name, [(usage, False)], expired, days)

    def _leaf(
        self, common_name: str, extensions: list, expired: bool, days: float = 30
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        life = (-10 * DAY, -DAY) if expired else (-DAY, days * DAY)
        basic = (x509.BasicConstraints(ca=False, path_length=None), True)
        cert = self._sign(subject(common_name), key, life, [basic, *extensions])
        return Pair(
            cert.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _ca_extensions(self, below: int) -> list:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return [(x509.BasicConstraints(ca=True, path_length=below), True), (usage, True)]

    def _sign(self, name, key, life, extensions) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + life[0])
            .not_valid_after(now + life[1])
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(identifier, False).add_extension(issuer, False)
        return builder.sign(self.key, hashes.SHA256())


def server_context(pair: Pair, clients: Authority | None = None) -> ssl.SSLContext:
    """For a server; clients: the authority whose certificates it demands, if it does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*pair.write(Path(folder), "server"))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem.decode())
    return context
