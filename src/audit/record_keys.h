// The CBOR keys of the fields of a link, by kind. They are persistent: chains are verified with them for years. Never
// change one or reuse it for something else. docs/audit.md says what the fields mean.
#pragma once

namespace yett::audit {

/// In every link.
struct LinkKey {
  enum : int { kKind = 0, kSeq = 1, kCommitment = 25 };
};
/// The first record of a log file (kind 0).
struct LogKey {
  enum : int { kTime = 2, kLogId = 5, kInstance = 6, kSpiffeId = 7, kPublicKey = 8 };
};
struct DecisionKey {
  enum : int {
    kId = 2,
    kTime = 3,
    kListener = 4,
    kRoute = 5,
    kPrincipal = 6,
    kMethod = 7,
    kHost = 8,
    kPath = 9,
    kRawTarget = 10,
    kEffect = 11,
    kPolicy = 12,
    kRule = 13,
    kReason = 14,
    kErrors = 15,
    kEngine = 16,
    kPolicyDigest = 17,
    kCached = 18,
    kEvalNanos = 19,
    kReads = 20,
    kWouldDeny = 21,
    kProtocol = 22,
    kSource = 23
  };
};
struct OutcomeKey {
  enum : int {
    kDecisionSeq = 2,
    kStatus = 3,
    kUpstream = 4,
    kBytesIn = 5,
    kBytesOut = 6,
    kDurationMicros = 7,
    kResult = 8,
    kShadow = 9
  };
};
struct HeartbeatKey {
  enum : int { kDecisionSeq = 2, kTime = 3, kBytesIn = 4, kBytesOut = 5 };
};
struct EventKey {
  enum : int { kTime = 2, kWhat = 3, kSubject = 4, kDetail = 5, kCount = 6, kCaller = 7, kAbout = 8 };
};
struct CheckpointKey {
  enum : int { kTime = 2, kPublicKey = 3, kSignature = 4, kNextKey = 5 };
};

}  // namespace yett::audit
