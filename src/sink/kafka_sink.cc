// Sends records to a Kafka topic with librdkafka: idempotent, acknowledged by all replicas, with a single key to keep
// them in order.
#include <librdkafka/rdkafka.h>

#include <string>

#include "sink/sink.h"

namespace yett::sink {
namespace {

struct Destroy {
  void operator()(rd_kafka_t* client) const {
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(client);
  }
};

// The result of a batch, from delivery reports, which arrive on the sink's own thread during poll and flush.
struct Batch {
  size_t delivered = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string last = {};  // the client's last error about its brokers
};

void onDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* batch = static_cast<Batch*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++batch->delivered;
  else batch->error = message->err;
}

void onError(rd_kafka_t*, int, const char* why, void* opaque) {
  static_cast<Batch*>(opaque)->last = why;
}

class KafkaSink final : public Sink {
 public:
  explicit KafkaSink(const SinkConfig& config) : config_(config) {}

  Status open() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char why[512] = {};
    const auto set = [&](const std::string& name, const std::string& value) {
      return rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK;
    };
    bool ok = set("bootstrap.servers", config_.brokers) && set("client.id", "yett") &&
              set("enable.idempotence", "true") && set("acks", "all") && set("linger.ms", "5") &&
              set("log_level", "3") && set("message.timeout.ms", std::to_string(config_.timeout.count()));
    for (const auto& [name, value] : config_.settings) ok = ok && set(name, value);
    rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
    rd_kafka_conf_set_error_cb(conf, onError);
    rd_kafka_conf_set_opaque(conf, &batch_);
    rd_kafka_conf_set_log_cb(conf, nullptr);
    if (ok) client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why));
    if (client_) return {};
    rd_kafka_conf_destroy(conf);
    return Error{config_.brokers + ": " + why};
  }

  Delivery send(std::span<const Record> records) override {
    if (!client_) {
      if (auto opened = open(); !opened) return {Delivery::How::kLater, opened.error().message};
    }
    batch_ = {};
    for (const auto& record : records) {
      const auto error = rd_kafka_producev(
          client_.get(), RD_KAFKA_V_TOPIC(config_.topic.c_str()), RD_KAFKA_V_KEY("yett", 4),
          RD_KAFKA_V_VALUE(const_cast<char*>(record.line.data()), record.line.size()),
          RD_KAFKA_V_TIMESTAMP(record.time / 1000), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(error);
    }
    rd_kafka_flush(client_.get(), static_cast<int>(config_.timeout.count()) + 1000);
    if (batch_.error != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(batch_.error);
    if (batch_.delivered != records.size()) return failure(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
    return {};
  }

  Status probe() override {
    if (!client_) TRY(open());
    rd_kafka_topic_t* topic = rd_kafka_topic_new(client_.get(), config_.topic.c_str(), nullptr);
    const struct rd_kafka_metadata* found = nullptr;
    auto error = rd_kafka_metadata(client_.get(), 0, topic, &found, static_cast<int>(config_.timeout.count()));
    rd_kafka_poll(client_.get(), 0);  // gets errors about brokers
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && found->topic_cnt > 0) error = found->topics[0].err;
    if (found != nullptr) rd_kafka_metadata_destroy(found);
    rd_kafka_topic_destroy(topic);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return Error{failure(error).why};
  }

 private:
  // Undelivered messages are purged with the client, so that they cannot arrive after they are sent again.
  Delivery failure(rd_kafka_resp_err_t error) {
    client_.reset();
    const bool refused = error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
                         error == RD_KAFKA_RESP_ERR_INVALID_MSG;
    std::string why = config_.brokers + ": " + rd_kafka_err2str(error);
    if (!batch_.last.empty()) why += ": " + batch_.last;
    return {refused ? Delivery::How::kRefused : Delivery::How::kLater, std::move(why)};
  }
  const SinkConfig config_;
  Batch batch_;
  std::unique_ptr<rd_kafka_t, Destroy> client_;
};

}  // namespace

Result<std::unique_ptr<Sink>> makeKafkaSink(const SinkConfig& config) {
  auto out = std::make_unique<KafkaSink>(config);
  TRY(out->open());
  return std::unique_ptr<Sink>(std::move(out));
}

}  // namespace yett::sink
