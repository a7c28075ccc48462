// A record as one line of JSON, with what proves it where that is wanted: the same for who sends it and who checks it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/record.h"

namespace yett::sink {

/// A record as it leaves the machine.
struct Record {
  int64_t seq;
  int64_t time;        ///< microseconds since 1970
  std::string kind;    ///< "decision", "outcome", "event", "checkpoint", "heartbeat" or "log"
  std::string effect;  ///< of a decision
  std::string line;    ///< JSON, one line, without its end; docs/audit.md lists the fields
};

/// What a line is made of. Views, and all bytes as they are.
struct LineOf {
  int64_t seq;
  audit::Kind kind;
  const audit::Fields* fields;  ///< the personal ones too, where they are there
  bool erased = false;          ///< it had personal fields, and they are gone
  std::string_view log_id;
  std::string_view hash;
  /// Of records that are sent with their proof.
  struct Proof {
    std::string_view before;    ///< the hash that it follows
    std::string_view bytes;     ///< canonical
    std::string_view salt;      ///< of its commitment, and
    std::string_view personal;  ///< what that covers after it; "" where it has none, or they were erased
  };
  const Proof* proof = nullptr;
};
Record writeLine(const LineOf& of);

}  // namespace yett::sink
