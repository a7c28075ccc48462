// Floods of TLS that no ordinary client sends, for test_holdup.py:
//   yett_attack KIND PORT CERTS WHO SECONDS CONNECTIONS
// KIND: keyupdate, mixed (keyupdate with a few request bytes now and then), renegotiate and empty (TLS 1.2), handshake.
// CERTS: folder with WHO.pem and WHO.key. Each connection has a thread that reconnects when it is closed; the last
// line counts the connections.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "attack/tls12_writer.h"

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<long> connections{0};
std::atomic<long> failed{0};
std::atomic<long> sent{0};

int connectTo(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return fd;
  ::close(fd);
  return -1;
}

// Sends records without data until the peer closes the connection or time is up.
void flood(const std::string& kind, SSL* ssl, int fd, Clock::time_point until) {
  if (kind == "keyupdate" || kind == "mixed") {
    for (int i = 1; Clock::now() < until; ++i) {
      if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) return;
      ++sent;
      if (kind == "mixed" && i % 50 == 0 && SSL_write(ssl, "\r\n", 2) != 2) return;
    }
    return;
  }
  yett::attack::Tls12Writer writer(ssl);
  // A handshake message that starts a renegotiation (RFC 5246 7.4.1), or an empty record.
  const bool again = kind == "renegotiate";
  const std::string body = again ? std::string("\x01\x00\x00\x26\x03\x03", 6) + std::string(36, '\0') : std::string();
  while (Clock::now() < until) {
    std::string batch;
    for (int i = 0; i < 200; ++i) batch += writer.record(again ? 22 : 23, body);
    for (size_t at = 0; at < batch.size();) {
      const ssize_t n = ::send(fd, batch.data() + at, batch.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
    sent += 200;
  }
}

void attack(const std::string& kind, SSL_CTX* context, int port, Clock::time_point until, double interval) {
  auto next = Clock::now();
  while (Clock::now() < until) {
    if (interval > 0) {
      std::this_thread::sleep_until(next);
      next += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval));
    }
    const int fd = connectTo(port);
    if (fd < 0) {
      ++failed;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) {
      ++connections;
      if (interval == 0) flood(kind, ssl, fd, until);
    } else {
      ++failed;
    }
    SSL_free(ssl);
    ::close(fd);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return std::fprintf(stderr, "usage: yett_attack KIND PORT CERTS WHO SECONDS CONNECTIONS\n"), 2;
  std::signal(SIGPIPE, SIG_IGN);
  const std::string kind = argv[1];
  const std::string base = std::string(argv[3]) + "/" + argv[4];
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  const bool old = kind == "renegotiate" || kind == "empty";
  if (old) {
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
  }
  if (SSL_CTX_use_certificate_chain_file(context, (base + ".pem").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, (base + ".key").c_str(), SSL_FILETYPE_PEM) != 1)
    return std::fprintf(stderr, "cannot read %s.pem and .key\n", base.c_str()), 2;
  const int port = std::atoi(argv[2]);
  const auto until = Clock::now() + std::chrono::milliseconds(static_cast<int>(std::atof(argv[5]) * 1000));
  const int count = std::atoi(argv[6]);
  std::vector<std::thread> threads;
  // For handshakes, CONNECTIONS is the total rate per second, spread over four threads.
  const bool paced = kind == "handshake";
  for (int i = 0; i < (paced ? 4 : count); ++i)
    threads.emplace_back([&] { attack(kind, context, port, until, paced ? 4.0 / count : 0); });
  for (auto& thread : threads) thread.join();
  std::printf("%ld connections, %ld failed, %ld records\n", connections.load(), failed.load(), sent.load());
  SSL_CTX_free(context);
}
