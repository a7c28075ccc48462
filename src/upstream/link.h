// A connection to an endpoint and its codec: the address, TLS, the protocol. What is done over it is up to the derived
// class.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/units.h"
#include "http/client_codec.h"
#include "http/limits.h"
#include "http/wire.h"
#include "net/connection.h"
#include "net/tls_client_transport.h"
#include "upstream/cluster.h"
#include "upstream/connector.h"
#include "upstream/endpoint_states.h"

namespace yett::upstream {

/// On its loop. Its owner destroys it by destroyLater(), after onClosed().
class Link : public net::ConnectionEvents, public http::Wire, public net::Destroyable {
 public:
  /// `tls`: null: plaintext. `offers`: what may be spoken; `expects`: what probably will be.
  Link(net::EventLoop& loop, std::shared_ptr<const Endpoint> endpoint, std::shared_ptr<const net::TlsClient> tls,
       std::shared_ptr<const http::Limits> limits, Speaks offers, Speaks expects);
  ~Link() override;

  const std::shared_ptr<const Endpoint>& where() const { return where_; }
  /// REQUIRES: it is or was open.
  http::ClientCodec& codec() { return *codec_; }
  /// Before it is open: what it will speak, as far as is known.
  bool http2() const { return http2_; }
  bool isOpen() const { return connection_ && connection_->open(); }
  /// The service was not who it should be.
  bool untrusted() const { return tls_ != nullptr && tls_->untrusted(); }

  void onOpen() final;
  size_t onData(std::string_view bytes) override { return codec_->onBytes(bytes); }
  void onEof() override { codec_->onPeerClosed(true, {}); }

  void write(std::string_view bytes) override { connection_->write(bytes); }
  size_t buffered() const override { return connection_->buffered(); }
  void callAtBatchEnd() override;
  int64_t nowMillis() const override { return loop_.nowMillis(); }
  void pauseReading() override { connection_->pauseReading(); }
  void resumeReading() override { connection_->resumeReading(); }
  void finishWriting() override { connection_->finishWriting(); }
  void finish() override { connection_->finish(); }
  void abort() override { connection_->abort(); }

 protected:
  /// Starts to connect, for at most `limit`, after which onTimeout() is called. onClosed() says that it failed.
  void begin(const TlsConfig& tls, base::Millis limit);
  /// The codec is ready; the timeout has been cleared.
  virtual void onLinked() = 0;
  /// The codec has had its turn at the end of a batch.
  virtual void onBatch() {}
  /// The service's certificate has not expired.
  bool trusted() const;

  net::EventLoop& loop_;
  const std::shared_ptr<const http::Limits> limits_;
  std::unique_ptr<net::Connection> connection_;
  net::TlsClientTransport* tls_ = nullptr;    // of connection_; null: plaintext
  std::unique_ptr<http::ClientCodec> codec_;  // once it is open

 private:
  void use(const Poco::Net::StreamSocket& socket, const TlsConfig& tls, base::Millis limit);
  bool makeCodec();
  const std::shared_ptr<const Endpoint> where_;
  const std::shared_ptr<const net::TlsClient> client_;
  const Speaks offers_;
  bool http2_;
  std::unique_ptr<Race> race_;
};

}  // namespace yett::upstream
