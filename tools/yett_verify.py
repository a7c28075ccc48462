#!/usr/bin/env python3
"""Verifies audit logs of Yett. Written from docs/audit.md only: it shares no code with Yett.

    yett_verify.py [--key audit.pub] [--checkpoint SEQ:HASH] FILE...     the files of a log, oldest first

Rebuilds every record from its block and hashes it; checks the chain, checkpoints, erasures and the plain tables.
Exit status 1: something is wrong; the first problem is named. Needs python3-zstandard and python3-cryptography."""
import argparse
import hashlib
import sqlite3
import sys
import uuid

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

LOG, DECISION, OUTCOME, EVENT, CHECKPOINT, HEARTBEAT = range(6)
# The keys of a decision (sections 5 to 26) and of an outcome (27 to 34), in order; which are numbers or personal.
DECISION_KEYS, DECISION_NUMBERS, PERSONAL = range(2, 24), {3, 18, 19}, {6, 8, 9, 10, 14, 15, 20, 23}
OUTCOME_KEYS, OUTCOME_NUMBERS = range(2, 10), {2, 3, 5, 6, 7}
TABLES = {EVENT: ("events", (("time", 2), ("what", 3), ("subject", 4), ("detail", 5), ("count", 6))),
          HEARTBEAT: ("heartbeats", (("decision_seq", 2), ("time", 3), ("bytes_in", 4), ("bytes_out", 5)))}


class Broken(Exception):
    """What is wrong, and where."""


def need(true, seq, what):
    if not true:
        raise Broken(f"record {seq}: {what}")


class Bytes:
    """Reads items from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise ValueError("it is cut off")
        self.at += size
        return self.data[self.at - size:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def stream(self):
        form, size = self.take(1)[0], self.varint()
        if form == 0:
            return self.take(size)
        if form == 2:
            frame = self.take(self.varint())
            if size < 1 << 24 and zstandard.frame_content_size(frame) == size:
                return zstandard.ZstdDecompressor().decompress(frame)
        elif form == 3 and size < 1 << 24:
            return self.take(1) * size
        raise ValueError("a stream of an unknown form or size")

    def varints(self):
        return iter(lambda: self.varint() if self.at < len(self.data) else None, None)

    def head(self):
        major, info = divmod(self.take(1)[0], 32)
        return major, info if info < 24 else int.from_bytes(self.take(1 << (info - 24)), "big")


def unfold(value):
    return value >> 1 if value & 1 == 0 else -(value >> 1) - 1


def aes(key, number):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(number.to_bytes(16, "big"))


def cbor_head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    size = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + value.to_bytes(size, "big")


def cbor(fields, first=b"", count=0):
    """A map of `count` pairs already encoded in `first`, then these: keys ascending, empty and zero values left out."""
    kept = [(key, value) for key, value in sorted(fields.items()) if value not in (b"", 0)]
    out = cbor_head(5, count + len(kept)) + first
    for key, value in kept:
        if isinstance(value, int):
            out += cbor_head(0, key) + (cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value))
        else:
            out += cbor_head(0, key) + cbor_head(3 if value.isascii() else 2, len(value)) + value
    return out


def parse(data):
    """A canonical record: its fields by key."""
    data, out = Bytes(data), {}
    for _ in range(data.head()[1]):
        key, (major, value) = data.head()[1], data.head()
        out[key] = value if major == 0 else -1 - value if major == 1 else data.take(value)
    return out


class Block:
    """A body, or pieces: its records as (kind, erased, mark, seq, row), and its columns."""

    def __init__(self, parts, seed=None):
        self.records, self.columns, self.commitments, self.counts, seq = [], {}, b"", [0, 0], None
        self.texts, self.seed, self.salts = {}, seed, None
        for part in parts:
            data = Bytes(part)
            if data.take(1) != b"\x01":
                raise ValueError("a block of an unknown version")
            records, _, first = data.varint(), data.varint(), data.varint()
            sizes = [data.varint() for _ in range(data.varint())]
            sections = [Bytes(data.take(size)) for size in sizes]
            kinds, jumps, marks = sections[0].stream(), list(Bytes(sections[1].stream()).varints()), sections[2].stream()
            jumps = dict(zip(jumps[::2], jumps[1::2]))
            self.commitments += sections[4].stream()
            if seed is None:
                self.read_salts(sections[3])
            begun = list(self.counts)
            for i in range(records):
                seq = (first if seq is None else seq + jumps.get(len(self.records), 1))
                kind, which = kinds[i] & 15, {DECISION: 0, OUTCOME: 1}.get(kinds[i] & 15)
                row = self.counts[which] if which is not None else None
                if which is not None:
                    self.counts[which] += 1
                self.records.append((kind, kinds[i] >= 16, marks[i], seq, row))
            self.read_columns(sections, [now - before for now, before in zip(self.counts, begun)])

    def read_salts(self, data):
        self.salts = {}
        if data.take(1) == b"\x00":
            self.seed = data.take(16)
            return
        group = 0
        while data.at < len(data.data):
            form = data.take(1)[0]
            left = 0xffffffff if form == 1 else int.from_bytes(data.take(4), "little") if form == 2 else 0
            seed = data.take(16) if form == 1 else None
            for i in range(32):
                if left >> i & 1:
                    self.salts[group * 32 + i] = aes(seed, i) if seed else data.take(16)
            group += 1

    def salt(self, row):
        return aes(aes(self.seed, row // 32), row % 32) if self.seed else self.salts.get(row, b"")

    def read_columns(self, sections, rows):
        for which, first, keys, numbers in ((0, 5, DECISION_KEYS, DECISION_NUMBERS), (1, 27, OUTCOME_KEYS, OUTCOME_NUMBERS)):
            if rows[which] == 0:
                continue
            for i, key in enumerate(keys):
                section, column = sections[first + i], self.columns.setdefault((which, key), [])
                if key in numbers:
                    for value in map(unfold, Bytes(section.stream()).varints()):
                        column.append(value + column[-1] if (which, key) == (0, 3) and column else value)
                elif (which, key) != (0, 2):
                    self.read_texts(section, self.texts.setdefault((which, key), [[], 0]), column)
            if which == 0:
                self.read_ids(sections[5], rows[0])

    def read_texts(self, section, state, column):
        entries = state[0]
        lengths, texts, low, high = Bytes(section.stream()), Bytes(section.stream()), section.stream(), section.stream()
        entries += [texts.take(size) for size in lengths.varints()]
        for i, place in enumerate(low):
            place |= high[i] << 8 if high else 0
            state[1] += place == 0
            column.append(entries[state[1] - 1 if place == 0 else place - 1])

    def read_ids(self, section, rows):
        kinds, later, random, other = section.stream(), Bytes(section.stream()), Bytes(section.stream()), Bytes(section.stream())
        column = self.columns.setdefault((0, 2), [])
        for i in range(rows):
            if kinds[i] == 2:
                column.append(other.take(other.varint()))
                continue
            millis = int(self.columns[(0, 3)][len(column)] / 1000) + (unfold(later.varint()) if kinds[i] == 1 else 0)
            rest = int.from_bytes(random.take(10), "big") | 7 << 76 | 2 << 62
            column.append(str(uuid.UUID(int=millis << 80 | rest)).encode())

    def fields(self, kind, row):
        which, keys = (0, DECISION_KEYS) if kind == DECISION else (1, OUTCOME_KEYS)
        return {key: self.columns[(which, key)][row] for key in keys}


class Log:
    def __init__(self, key):
        self.head, self.last, self.count, self.key = None, 0, 0, key
        self.checkpoints, self.events, self.erased, self.named, self.begins = [], {}, [], [], None

    def block(self, db, block, prev, log_id):
        need(self.head in (None, prev), block.records[0][3], "it does not follow the record before it")
        self.head, gone = prev, 0
        if self.begins is None:
            self.begins = (block.records[0][3], block.records[0][0] == LOG, prev)
        for kind, erased, mark, seq, row in block.records:
            need(seq > self.last, seq, "its number is not higher than the previous one")
            if kind in (DECISION, OUTCOME):
                fields, commitment = block.fields(kind, row), b""
                if kind == OUTCOME:
                    fields[2] = seq - fields[2] if fields[2] else 0
                else:
                    fields[10] = fields[9] if fields[10] == b"=" else fields[10].removeprefix(b"=")
                    personal = {key: value for key, value in fields.items() if key in PERSONAL}
                    fields = {key: value for key, value in fields.items() if key not in PERSONAL}
                    salt = block.salt(row) if not erased or block.seed is None else b"x"
                    if erased:
                        need(not any(personal.values()) and not salt, seq, "it says that its personal fields were erased, but has some")
                        commitment, gone = block.commitments[gone * 32:gone * 32 + 32], gone + 1
                        self.erased.append(seq)
                    else:
                        need(salt, seq, "its personal fields have lost their salt")
                        commitment = hashlib.sha256(salt + cbor(personal)).digest()
                data = cbor({**fields, 25: commitment}, b"\x00" + cbor_head(0, kind) + b"\x01" + cbor_head(0, seq), 2)
            else:
                found = db.execute("SELECT kind, bytes FROM rare WHERE seq = ?", (seq,)).fetchone()
                need(found, seq, "its row is missing from table `rare`")
                data, fields = found[1], parse(found[1])
                need(found[0] == kind == fields.get(0) and fields.get(1) == seq, seq, "its content is not a canonical record")
                self.rare(db, kind, seq, fields, log_id)
            self.head = hashlib.sha256(self.head + data).digest()
            need(self.head[0] == mark, seq, "its content was changed")
            if kind == CHECKPOINT:
                self.checkpoints[-1] += (self.head,)
            self.last, self.count = seq, self.count + 1

    def rare(self, db, kind, seq, fields, log_id):
        if kind == LOG:
            need(fields.get(5) == log_id, seq, "it begins another log than table `meta` says")
        for table, columns in (TABLES[kind],) if kind in TABLES else ():
            row = db.execute(f"SELECT {', '.join(name for name, _ in columns)} FROM {table} WHERE seq = ?", (seq,)).fetchone()
            need(row, seq, f"its row is missing from table `{table}`")
            for value, (name, key) in zip(row, columns):
                need(value == fields.get(key, type(value)()), seq, f"column `{name}` of table `{table}` differs from the record")
        if kind == EVENT and 25 in fields:
            row = db.execute("SELECT caller, about, salt FROM event_callers WHERE seq = ?", (seq,)).fetchone()
            need(row, seq, "its row is missing from table `event_callers`")
            if row[2]:
                need(hashlib.sha256(row[2] + cbor({7: row[0], 8: row[1]})).digest() == fields[25], seq,
                     "its personal fields in table `event_callers` are not those that were recorded")
            else:
                need(not row[0] and not row[1], seq, "its personal fields have lost their salt")
                self.erased.append(seq)
        if kind == EVENT:
            self.events[seq] = fields
        if kind == CHECKPOINT:
            text = b"yett audit key change v1\0" if 5 in fields else b"yett audit checkpoint v1\0"
            message = text + log_id + seq.to_bytes(8, "big") + self.head + fields.get(5, b"")
            need(is_signed(fields[3], fields[4], message), seq, "its signature is invalid")
            self.checkpoints.append((seq, fields[3], fields.get(5)))

    def read(self, first, *parts):
        try:
            return Block(*parts)
        except (ValueError, IndexError, OverflowError, zstandard.ZstdError) as error:
            raise Broken(f"record {first}: its block cannot be read: {error}") from None

    def file(self, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.text_factory = bytes
        db.execute("BEGIN")
        meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        log_id, before = meta[b"log_id"], meta[b"before"]
        for first, last, prev, end, body in db.execute("SELECT first, last, prev, hash, body FROM blocks ORDER BY last"):
            block = self.read(first, [body])
            self.block(db, block, prev, log_id)
            need(self.head == end and last == self.last, self.last, "its content was changed")
            before = end
        rows = db.execute("SELECT hash, bytes FROM tail ORDER BY last").fetchall()
        if rows:
            self.block(db, self.read(self.last + 1, [piece for _, piece in rows], rows[-1][0][32:]), before, log_id)
            need(self.head == rows[-1][0][:32], self.last, "its content was changed")
        self.named += db.execute("SELECT event_seq, seq FROM erased ORDER BY event_seq, seq").fetchall()

    def finish(self, checkpoint):
        tails = [f[5].split() for f in self.events.values() if f.get(3) == b"unsigned tail"]  # it is unknown who wrote those
        counts = [seq for seq in self.events if not self.checkpoints or seq <= self.checkpoints[-1][0]]
        excuses = {seq: self.events[seq] for seq in counts if not any(int(a) <= seq <= int(b) for a, b in tails)}
        by_event = {}
        for event, seq in self.named:
            by_event.setdefault(event, []).append(seq)
        for event, seqs in by_event.items():
            digest = hashlib.sha256("".join(f"{seq}\n" for seq in seqs).encode()).hexdigest().encode()
            f = excuses.get(event, {})
            need(f.get(3) == b"erased" and f.get(5) == digest, seqs[0], "table `erased` names other records than those that were erased")
        missing = set(self.erased) - {seq for _, seq in self.named}
        need(not missing, min(missing, default=0), "its personal fields are gone, but no event that a checkpoint covers says that they were erased")
        if self.begins is None:
            raise Broken("the log has no first record")
        first, begins, prev = self.begins
        gone = [f[5].split() for f in excuses.values() if f.get(3) == b"retention"]  # b"through", a number, a hash
        told = any(words[2] == prev.hex().encode() or first <= int(words[1]) for words in gone)
        need(begins or told, first, "the log does not begin with its first record")  # for a single file of several, `prev` is in another file
        if self.key:
            trusted = {self.key}
            for _, key, following, _ in self.checkpoints:
                good = key in trusted
                if good and following:
                    trusted = trusted - {key} | {following}
            if not self.checkpoints or not good:
                raise Broken("the last checkpoint is not signed by the expected key")
        if checkpoint and not any(f"{c[0]}:{c[3].hex()}" == checkpoint for c in self.checkpoints):
            raise Broken(f"the saved checkpoint {checkpoint} is not in the log")


def is_signed(key, signature, message):
    try:
        return Ed25519PublicKey.from_public_bytes(key).verify(signature, message) is None
    except InvalidSignature:
        return False


def public_key(path):
    pem = open(path, "rb").read()
    key = serialization.load_pem_private_key(pem, None).public_key() if b"PRIVATE" in pem else serialization.load_pem_public_key(pem)
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", type=public_key, help="the public or private key that must have signed, in PEM format")
    parser.add_argument("--checkpoint", default="", help="SEQ:HASH of a checkpoint that was saved elsewhere")
    parser.add_argument("files", nargs="+")
    log = Log((options := parser.parse_args()).key)
    try:
        for path in options.files:
            log.file(path)
        log.finish(options.checkpoint)
    except Broken as broken:
        return print(f"BROKEN: {broken}") or 1
    except (sqlite3.Error, TypeError, ValueError, OverflowError, IndexError, KeyError) as error:
        return print(f"{path}: is not a readable audit log: {error}", file=sys.stderr) or 2
    return print(f"ok: {log.count} records, head {log.head.hex() if log.head else ''}")


sys.exit(main())
