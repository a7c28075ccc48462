// Sends records as OTLP logs over HTTP, in JSON (OpenTelemetry Protocol 1.x, "OTLP/HTTP"; logs data model 1.x).
#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/URI.h>

#include <algorithm>
#include <istream>

#include "base/json.h"
#include "base/text.h"
#include "sink/sink.h"
#include "sink/tls_client.h"

namespace yett::sink {
namespace poco = Poco::Net;
namespace {

constexpr uint64_t kLongestWait = 3600;  // in seconds, that a receiver may ask for

std::string attribute(std::string_view key, std::string_view value) {
  std::string text;
  json::ObjectWriter(text).field("stringValue", value).end();
  std::string out;
  json::ObjectWriter(out).field("key", key).raw("value", text).end();
  return out;
}

std::string payload(std::span<const Record> records) {
  std::string list;
  for (const auto& record : records) {
    const bool deny = record.effect == "deny";
    std::string body;
    json::ObjectWriter(body).field("stringValue", record.line).end();
    std::string attributes =
        "[" + attribute("yett.kind", record.kind) + "," + attribute("yett.seq", std::to_string(record.seq));
    if (!record.effect.empty()) attributes += "," + attribute("yett.effect", record.effect);
    if (!list.empty()) list += ',';
    json::ObjectWriter(list)
        .field("timeUnixNano", std::to_string(record.time) + "000")
        .field("severityNumber", deny ? 13 : 9)
        .field("severityText", deny ? "WARN" : "INFO")
        .raw("body", body)
        .raw("attributes", attributes + "]")
        .end();
  }
  return R"({"resourceLogs":[{"resource":{"attributes":[)" + attribute("service.name", "yett") +
         R"(]},"scopeLogs":[{"scope":{"name":"yett.audit"},"logRecords":[)" + list + "]}]}]}";
}

class OtlpSink final : public Sink {
 public:
  OtlpSink(const SinkConfig& config, Poco::URI uri) : config_(config), uri_(std::move(uri)) {}

  Delivery send(std::span<const Record> records) override { return post(payload(records)); }
  Status probe() override {
    const auto said = post(R"({"resourceLogs":[]})");
    return said.how == Delivery::How::kTaken ? Status() : Error{said.why};
  }

 private:
  void connect() {
    if (uri_.getScheme() == "https")
      session_ = std::make_unique<poco::HTTPSClientSession>(uri_.getHost(), uri_.getPort(), clientContext(config_));
    else session_ = std::make_unique<poco::HTTPClientSession>(uri_.getHost(), uri_.getPort());
    session_->setTimeout(Poco::Timespan(config_.timeout.count() * 1000));
    session_->setKeepAlive(true);
  }
  Delivery post(const std::string& body) {
    try {
      if (!session_) connect();
      poco::HTTPRequest request(poco::HTTPRequest::HTTP_POST, uri_.getPathAndQuery(), poco::HTTPRequest::HTTP_1_1);
      request.setContentType("application/json");
      request.setContentLength64(static_cast<Poco::Int64>(body.size()));
      request.setKeepAlive(true);
      session_->sendRequest(request) << body;
      poco::HTTPResponse response;
      const std::string answer = read(session_->receiveResponse(response));
      Delivery out = judge(response, answer);
      if (out.how != Delivery::How::kTaken) session_.reset();
      return out;
    } catch (const Poco::Exception& e) {
      session_.reset();
      return {Delivery::How::kLater, config_.url + ": " + base::lowered(e.displayText())};
    }
  }

  static std::string read(std::istream& in) {
    constexpr size_t kMax = 64 << 10;
    std::string out(kMax, '\0');
    in.read(out.data(), kMax);
    out.resize(static_cast<size_t>(in.gcount()));
    return out;
  }

  // OTLP 1.x, "OTLP/HTTP Response": which errors are retryable, and which are permanent.
  Delivery judge(const poco::HTTPResponse& response, const std::string& answer) const {
    const int status = response.getStatus();
    if (status == 204 && answer.empty()) return {};
    if (status == 200) return judgeSuccess(answer);
    Delivery out{Delivery::How::kLater,
                 config_.url + " answers " + std::to_string(status) + ": " + base::printable(answer.substr(0, 200))};
    if (status == 400 || status == 413 || status == 422) out.how = Delivery::How::kRefused;
    uint64_t seconds = 0;
    if (base::parseUnsigned(response.get("Retry-After", ""), seconds))
      out.retry_after = base::Millis(1000 * static_cast<int64_t>(std::min<uint64_t>(seconds, kLongestWait)));
    return out;
  }

  // A server that is not an OTLP receiver may answer 200, too. A partial success has dropped records.
  Delivery judgeSuccess(const std::string& answer) const {
    const auto parsed = json::parse(answer, false);
    const bool object = parsed && parsed.value().type == json::Value::Type::kObject;
    const auto* partial = object ? parsed.value().find("partialSuccess") : nullptr;
    if (!object || parsed.value().fields.size() > (partial != nullptr ? 1 : 0))
      return {Delivery::How::kLater,
              config_.url + " answers 200 without an OTLP response: " + base::printable(answer.substr(0, 200))};
    const auto* count = partial != nullptr ? partial->find("rejectedLogRecords") : nullptr;
    if (count == nullptr || (count->text.empty() ? count->integer == 0 : count->text == "0")) return {};
    const auto* why = partial->find("errorMessage");
    return {Delivery::How::kRefused,
            config_.url + " rejected " + (count->text.empty() ? std::to_string(count->integer) : count->text) +
                " records of a batch" + (why != nullptr ? ": " + base::printable(why->text.substr(0, 200)) : "")};
  }

  const SinkConfig config_;
  const Poco::URI uri_;
  std::unique_ptr<poco::HTTPClientSession> session_;
};

}  // namespace

Result<std::unique_ptr<Sink>> makeOtlpSink(const SinkConfig& config) {
  try {
    Poco::URI uri(config.url);
    if (uri.getScheme() == "https") (void)clientContext(config);
    return std::unique_ptr<Sink>(std::make_unique<OtlpSink>(config, std::move(uri)));
  } catch (const Poco::Exception& e) {
    return Error{config.url + ": " + base::lowered(e.displayText())};
  }
}

}  // namespace yett::sink
