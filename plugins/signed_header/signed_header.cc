// Denies requests without a fresh signature made with a known key: for callers behind a proxy that terminates their
// TLS. The header
//
//     x-signature: <key id>:<seconds since 1970>:<hex HMAC-SHA256>
//
// signs "<method>\n<host>\n<raw path>\n<seconds>". Settings: one key per line, "<key id> <secret of 32 bytes or more>",
// and optionally "max_age <seconds>" (default 60). It denies or abstains, never allows: give it the role "veto". It
// does not stop replays within max_age.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "yett/plugin.h"

namespace {

constexpr size_t kMinSecret = 32;

struct Keys {
  std::map<std::string, std::string> secrets;
  long max_age = 60;
};

int create(yett_text settings, void** instance, char* error, size_t error_size) {
  auto keys = std::make_unique<Keys>();
  std::istringstream lines(std::string(settings.data, settings.size));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string id, secret, extra;
    if (!(words >> id) || id[0] == '#') continue;
    const bool two = static_cast<bool>(words >> secret) && !(words >> extra);
    if (two && id == "max_age") {
      keys->max_age = std::atol(secret.c_str());
      if (keys->max_age > 0 && keys->max_age <= 86'400) continue;
      std::snprintf(error, error_size, "line %d: max_age must be from 1 to 86400 seconds", number);
      return 1;
    }
    if (!two || id.find(':') != std::string::npos || secret.size() < kMinSecret) {
      std::snprintf(error, error_size, "line %d: write a key id without `:` and a secret of %zu bytes or more", number,
                    kMinSecret);
      return 1;
    }
    if (!keys->secrets.emplace(id, secret).second) {
      std::snprintf(error, error_size, "line %d: the key id `%s` appears twice", number, id.c_str());
      return 1;
    }
  }
  if (keys->secrets.empty()) {
    std::snprintf(error, error_size, "no key: `settings` must name a file with one key per line");
    return 1;
  }
  *instance = keys.release();
  return 0;
}

int refuse(yett_answer_v1* answer, const char* rule, const char* reason) {
  std::snprintf(answer->rule, sizeof answer->rule, "%s", rule);
  std::snprintf(answer->reason, sizeof answer->reason, "%s", reason);
  std::snprintf(answer->public_reason, sizeof answer->public_reason, "a valid x-signature is required");
  answer->status = 401;
  return YETT_DENY;
}

std::string hexOf(const unsigned char* bytes, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", bytes[i]);
    out += two;
  }
  return out;
}

int evaluate(void* instance, const yett_accessors_v1* read, yett_request* request, yett_answer_v1* answer) {
  const auto& keys = *static_cast<const Keys*>(instance);
  yett_text header{};
  const int found = read->text(request, "header", {"x-signature", 11}, &header);
  if (found == YETT_ABSENT) return refuse(answer, "unsigned", "no x-signature");
  if (found != YETT_PRESENT) return refuse(answer, "unsigned", "x-signature was sent more than once");
  const std::string text(header.data, header.size);
  const auto first = text.find(':');
  const auto second = first == std::string::npos ? first : text.find(':', first + 1);
  if (second == std::string::npos) return refuse(answer, "unsigned", "x-signature is not id:seconds:hmac");
  const std::string seconds = text.substr(first + 1, second - first - 1);
  const auto key = keys.secrets.find(text.substr(0, first));
  if (key == keys.secrets.end()) return refuse(answer, "unsigned", "x-signature names an unknown key");

  std::string message;
  for (const char* part : {"method", "host", "raw_path"}) {
    yett_text value{};
    if (read->text(request, part, {nullptr, 0}, &value) != YETT_PRESENT) return YETT_FAIL;
    message.append(value.data, value.size).append("\n");
  }
  message += seconds;
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key->second.data(), static_cast<int>(key->second.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &size) == nullptr)
    return YETT_FAIL;
  const std::string wanted = hexOf(mac, size);
  const std::string given = text.substr(second + 1);
  if (given.size() != wanted.size() || CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0)
    return refuse(answer, "forged", "x-signature does not match the request");

  int64_t now = 0;
  if (read->number(request, "time", &now) != YETT_PRESENT) return YETT_FAIL;
  char* rest = nullptr;
  const long long signed_at = std::strtoll(seconds.c_str(), &rest, 10);
  if (seconds.empty() || *rest != '\0' || signed_at > now + keys.max_age || signed_at < now - keys.max_age)
    return refuse(answer, "stale", "x-signature is too old or from the future");
  return YETT_ABSTAIN;
}

void destroy(void* instance) {
  delete static_cast<Keys*>(instance);
}

constexpr yett_plugin_v1 kPlugin = {YETT_PLUGIN_ABI_V1, YETT_PLUGIN_PURE, "signed_header", "1", create,
                                    evaluate,           destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const yett_plugin_v1* yett_plugin(void) {
  return &kPlugin;
}
