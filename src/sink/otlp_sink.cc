// Records as OTLP logs over HTTP, in JSON (OpenTelemetry Protocol 1.x, "OTLP/HTTP"; logs data model 1.x).
#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/StreamCopier.h>
#include <Poco/URI.h>

#include "base/json.h"
#include "base/text.h"
#include "sink/sink.h"
#include "sink/tls_client.h"

namespace yett::sink {
namespace poco = Poco::Net;
namespace {

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

  Status send(std::span<const Record> records) override {
    try {
      if (!session_) connect();
      const std::string body = payload(records);
      poco::HTTPRequest request(poco::HTTPRequest::HTTP_POST, uri_.getPathAndQuery(), poco::HTTPRequest::HTTP_1_1);
      request.setContentType("application/json");
      request.setContentLength64(static_cast<Poco::Int64>(body.size()));
      request.setKeepAlive(true);
      session_->sendRequest(request) << body;
      poco::HTTPResponse response;
      std::string answer;
      Poco::StreamCopier::copyToString(session_->receiveResponse(response), answer);
      if (response.getStatus() / 100 == 2) return rejected(answer);
      session_.reset();
      return Error{config_.url + " answers " + std::to_string(response.getStatus()) + ": " +
                   base::printable(answer.substr(0, 200))};
    } catch (const Poco::Exception& e) {
      session_.reset();
      return Error{config_.url + ": " + base::lowered(e.displayText())};
    }
  }

 private:
  void connect() {
    if (uri_.getScheme() == "https")
      session_ = std::make_unique<poco::HTTPSClientSession>(uri_.getHost(), uri_.getPort(), clientContext(config_));
    else session_ = std::make_unique<poco::HTTPClientSession>(uri_.getHost(), uri_.getPort());
    session_->setTimeout(Poco::Timespan(config_.timeout.count() * 1000));
    session_->setKeepAlive(true);
  }
  // A partial success drops records: that is a failure here.
  static Status rejected(const std::string& answer) {
    auto parsed = json::parse(answer.empty() ? "{}" : answer, false);
    const auto* partial = parsed ? parsed.value().find("partialSuccess") : nullptr;
    const auto* count = partial != nullptr ? partial->find("rejectedLogRecords") : nullptr;
    if (count == nullptr || (count->text.empty() ? count->integer == 0 : count->text == "0")) return {};
    return Error{"the receiver rejected " + (count->text.empty() ? std::to_string(count->integer) : count->text) +
                 " records of a batch"};
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
