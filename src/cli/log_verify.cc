// `yett log verify`.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "audit/checkpoint.h"
#include "audit/verifier.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log.h"
#include "sink/line_check.h"

namespace yett::cli {
namespace {

// The audit key of the log's configuration, which must have signed the log. If it cannot be read, warns and returns "":
// no key is checked.
Result<std::string> configuredKey(const std::string& config_file) {
  const auto text = base::readFile(config_file);
  const auto parsed = text ? json::parse(text.value(), true) : Result<json::Value>(text.error());
  const auto* audit = parsed ? parsed.value().find("audit") : nullptr;
  const auto* file = audit != nullptr ? audit->find("key_file") : nullptr;
  if (file == nullptr || file->text.empty()) return std::string();
  const std::string path = base::relativeTo(config_file, file->text);
  const auto pem = base::readFile(path);
  if (!pem) {
    std::cerr << "yett: warning: " << pem.error().message
              << ": the configured key is not checked; name its public half with --key\n";
    return std::string();
  }
  auto key = audit::publicKeyFromPem(pem.value());
  if (!key) return Error{path + " " + key.error().message};
  return std::move(key).value();
}

}  // namespace

Result<audit::Expected> expectedOf(const VerifyOptions& options) {
  audit::Expected out;
  if (options.key.empty() && !options.config.empty()) out.public_key = TRY(configuredKey(options.config));
  if (!options.key.empty()) {
    auto key = audit::publicKeyFromPem(TRY(base::readFile(options.key)));
    if (!key) return Error{options.key + " " + key.error().message};
    out.public_key = std::move(key).value();
  }
  if (options.checkpoint.empty()) return out;
  const auto colon = options.checkpoint.find(':');
  uint64_t seq = 0;
  if (colon == std::string::npos || !base::parseUnsigned(options.checkpoint.substr(0, colon), seq) || seq == 0 ||
      seq > INT64_MAX || options.checkpoint.size() - colon != 65 ||
      options.checkpoint.find_first_not_of("0123456789abcdefABCDEF", colon + 1) != std::string::npos)
    return Error{"--checkpoint `" + options.checkpoint +
                 "` is not SEQ:HASH, as the log's `audit checkpoint` lines have them"};
  out.checkpoint_seq = static_cast<int64_t>(seq);
  out.checkpoint_hash = base::lowered(options.checkpoint.substr(colon + 1));
  return out;
}

namespace {

void showAuthenticity(const audit::Verification& v) {
  if (v.checkpoints == 0) {
    std::cout << "consistent, not authenticated: the log has no signed checkpoints\n";
    return;
  }
  std::cout << (v.authenticated ? "authenticated" : "consistent, not authenticated") << ": " << v.checkpoints
            << (v.checkpoints == 1 ? " checkpoint" : " checkpoints") << " by key " << base::joined(v.keys, ", ")
            << ", the last is record " << v.signed_seq << "\n";
  if (!v.authenticated) std::cout << "to require a specific key: --key audit.pub\n";
  if (v.last_seq > v.signed_seq) std::cout << v.last_seq - v.signed_seq << " records after it are not signed yet\n";
}

void showText(const audit::Verification& v) {
  if (!v.broken.empty()) {
    std::cout << "BROKEN: " << base::forTerminal(v.broken) << "\n" << v.records << " records before it are intact\n";
    return;
  }
  std::cout << "ok: " << v.records << " records, " << v.first_seq << " to " << v.last_seq << ", head " << v.head
            << "\n";
  if (!v.writer.empty()) std::cout << "written by " << base::forTerminal(v.writer) << "\n";
  if (v.gaps > 0)
    std::cout << v.gaps << (v.gaps == 1 ? " gap" : " gaps") << " in the numbers, " << v.missing()
              << (v.missing() == 1 ? " record" : " records")
              << ": an unclean stop lost what was not on disk yet. See `yett log query --events`\n";
  if (v.not_closed)
    std::cout << "it was not closed: it currently ends with record " << v.last_seq
              << ". If this is a copy, its `-wal` file is missing: later records and checkpoints may be in there\n";
  if (v.deleted_through > 0)
    std::cout << "the records up to " << v.deleted_through
              << " were deleted by retention; an event in the chain records this\n";
  if (v.signing_begins > 0)
    std::cout << "signing begins with record " << v.signing_begins
              << ": earlier records were not signed when they were written\n";
  if (v.key_breaks > 0)
    std::cout << "a different key signs since record " << v.key_breaks
              << ", without a handover from the previous key: it proves nothing about earlier records\n";
  if (v.erased > 0)
    std::cout << v.erased << " records have lost their personal fields; events in the chain record this\n";
  if (!v.continues.empty())
    std::cout << "continues another file, whose last hash is " << v.continues
              << ": give both, oldest first, to verify this\n";
  showAuthenticity(v);
}

}  // namespace

int logVerify(const std::vector<audit::LogRef>& databases, const VerifyOptions& options, const std::string& format) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const auto expected = expectedOf(options);
  if (!expected) return failed(expected.error());
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  const auto progress = [&](int64_t records) {
    if (terminal) std::cerr << "\r" << records << " records" << std::flush;
  };
  auto result = options.lines.empty() ? audit::verify(databases, expected.value(), threads, progress)
                                      : sink::verifyLines(options.lines, expected.value(), progress);
  if (terminal) std::cerr << "\r\033[K";
  if (!result) return failed(result.error());
  const auto& v = result.value();
  if (format == "json") {
    std::string out;
    json::ObjectWriter(out)
        .flag("ok", v.broken.empty())
        .field("records", v.records)
        .field("first_seq", v.first_seq)
        .field("last_seq", v.last_seq)
        .field("gaps", v.gaps)
        .field("missing", v.missing())
        .flag("not_closed", v.not_closed)
        .field("erased", v.erased)
        .field("deleted_through", v.deleted_through)
        .field("signing_begins", v.signing_begins)
        .field("key_breaks", v.key_breaks)
        .field("continues", v.continues)
        .field("writer", v.writer)
        .field("head", v.head)
        .flag("authenticated", v.authenticated)
        .field("checkpoints", v.checkpoints)
        .field("signed_seq", v.signed_seq)
        .field("keys", base::joined(v.keys, " "))
        .field("broken", v.broken)
        .end();
    std::cout << out << "\n";
  } else {
    showText(v);
  }
  return v.broken.empty() ? 0 : 1;
}

}  // namespace yett::cli
