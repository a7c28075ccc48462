// Sends records as syslog (RFC 5424) over TLS (RFC 5425), or plain TCP (RFC 6587, octet counting). Syslog has no
// acknowledgements: a batch counts as sent once the other host has acknowledged its bytes (TCP). Records from the last
// seconds before a connection broke are sent again.
#include <Poco/Exception.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "base/resources.h"
#include "base/text.h"
#include "sink/sink.h"
#include "sink/tls_client.h"

namespace yett::sink {
namespace poco = Poco::Net;
namespace {

constexpr int64_t kWindowNanos = 5'000'000'000;
constexpr int kFacility = 13;  // log audit

class SyslogSink final : public Sink {
 public:
  explicit SyslogSink(const SinkConfig& config)
      : config_(config), host_(base::hostName()), process_(std::to_string(::getpid())) {}

  Delivery send(std::span<const Record> records) override {
    try {
      if (!socket_) connect();
      std::string bytes;
      for (const auto& record : records) {
        const std::string message = messageOf(record);
        bytes += std::to_string(message.size()) + " " + message;
      }
      for (size_t at = 0; at < bytes.size();) {
        const int sent =
            socket_->sendBytes(bytes.data() + at, static_cast<int>(std::min<size_t>(bytes.size() - at, 1 << 20)));
        if (sent <= 0) throw Poco::IOException("nothing could be sent");
        at += static_cast<size_t>(sent);
      }
      awaitAcknowledged();
      sent_.emplace_back(base::steadyNanos(), records.front().seq - 1);
      forgetOld();
      return {};
    } catch (const Poco::Exception& e) {
      socket_.reset();
      return {Delivery::How::kLater, config_.address + ": " + base::lowered(e.displayText())};
    }
  }

  Status probe() override {
    try {
      if (!socket_) connect();
      return {};
    } catch (const Poco::Exception& e) {
      return Error{config_.address + ": " + base::lowered(e.displayText())};
    }
  }

  int64_t resumeAt(int64_t position) override {
    forgetOld();
    if (!sent_.empty()) position = std::min(position, sent_.front().second);
    sent_.clear();
    return position;
  }

 private:
  void forgetOld() {
    const int64_t since = base::steadyNanos() - kWindowNanos;
    while (sent_.size() > 1 && sent_.front().first < since) sent_.pop_front();
  }

  void connect() {
    const Poco::Timespan timeout(config_.timeout.count() * 1000);
    const poco::SocketAddress address(config_.address);  // looked up only now: an unknown name must not prevent a start
    if (config_.plaintext) {
      socket_ = std::make_unique<poco::StreamSocket>();
      socket_->connect(address, timeout);
    } else {
      poco::SecureStreamSocket secure(clientContext(config_));
      secure.setPeerHostName(config_.address.substr(0, config_.address.rfind(':')));
      secure.connect(address, timeout);
      secure.completeHandshake();
      socket_ = std::make_unique<poco::StreamSocket>(secure);
    }
    socket_->setSendTimeout(timeout);
    socket_->setKeepAlive(true);
  }

  // RFC 5424 6: header, structured data, message with a byte order mark, since it is UTF-8.
  std::string messageOf(const Record& record) const {
    const int severity = record.effect == "deny" ? 4 : record.kind == "event" ? 5 : 6;
    std::string out = "<" + std::to_string(kFacility * 8 + severity) + ">1 " + base::formatTime(record.time) + " " +
                      host_ + " yett " + process_ + " " + record.kind + " [yett@32473 seq=\"" +
                      std::to_string(record.seq) + "\"] \xEF\xBB\xBF";
    return out + (out.size() + record.line.size() <= config_.max_message ? record.line : shortForm(record));
  }

  // Receivers truncate long messages, which leaves invalid JSON. The short form says where to find the record.
  static std::string shortForm(const Record& record) {
    std::string out;
    json::ObjectWriter w(out);
    w.field("seq", record.seq).field("kind", record.kind);
    const auto parsed = json::parse(record.line, false);
    for (const char* name : {"id", "time", "effect", "hash"}) {
      const auto* value = parsed ? parsed.value().find(name) : nullptr;
      if (value != nullptr && value->type == json::Value::Type::kString) w.field(name, value->text);
    }
    w.field("bytes", static_cast<int64_t>(record.line.size())).flag("cut", true).end();
    return out;
  }

  // Waits until the other host's kernel has everything.
  void awaitAcknowledged() {
    const int64_t until = base::steadyNanos() + config_.timeout.count() * 1'000'000;
    for (;;) {
      int left = 0;
      if (::ioctl(socket_->impl()->sockfd(), SIOCOUTQ, &left) != 0 || left == 0) break;
      if (base::steadyNanos() > until) throw Poco::TimeoutException("the receiver does not acknowledge data");
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    // The receiver never sends anything on such a connection, except its end.
    char byte = 0;
    const ssize_t got = ::recv(socket_->impl()->sockfd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
      throw Poco::IOException("the receiver has closed the connection");
  }

  const SinkConfig config_;
  const std::string host_;
  const std::string process_;
  std::unique_ptr<poco::StreamSocket> socket_;
  std::deque<std::pair<int64_t, int64_t>> sent_;  // time, and position before it
};

}  // namespace

Result<std::unique_ptr<Sink>> makeSyslogSink(const SinkConfig& config) {
  try {
    if (!config.plaintext) (void)clientContext(config);
    return std::unique_ptr<Sink>(std::make_unique<SyslogSink>(config));
  } catch (const Poco::Exception& e) {
    return Error{config.address + ": " + base::lowered(e.displayText())};
  }
}

}  // namespace yett::sink
