#include "identity/bundle_content.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <set>

#include "base/base64.h"
#include "base/json.h"
#include "identity/pem.h"

namespace yett::identity {
namespace {

constexpr size_t kMostBytes = 4 << 20;
constexpr int kDepth = 8;

Result<Certificate> authority(Certificate certificate) {
  ERR_clear_error();
  if (!certificate) return Error{"cannot be read"};
  if (X509_check_ca(certificate.get()) != 1) return Error{"is not a CA"};
  const bool usable = X509_get0_pubkey(certificate.get()) != nullptr;
  ERR_clear_error();
  if (!usable) return Error{"has a key that is not supported"};
  return certificate;
}

Result<BundleContent> readPem(std::string_view text) {
  BundleContent out;
  for (const auto& block : TRY(certificateBlocks(text, false))) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(block.text.data(), static_cast<int>(block.text.size())), BIO_free);
    auto read = authority(Certificate(PEM_read_bio_X509(bio.get(), nullptr, noPassphrase, nullptr)));
    if (!read)
      return Error{"certificate " + std::to_string(out.authorities.size() + 1) + " (line " +
                   std::to_string(block.line) + ") " + read.error().message};
    out.authorities.push_back(std::move(read).value());
  }
  if (out.authorities.empty()) return Error{"contains no certificate"};
  return out;
}

Error at(const json::Value& value, const std::string& what) {
  return Error{"line " + std::to_string(value.line) + ": " + what};
}

Result<Certificate> certificateOf(const json::Value& key) {
  const json::Value* chain = key.find("x5c");
  if (chain == nullptr || chain->type != json::Value::Type::kArray || chain->items.size() != 1 ||
      chain->items[0].type != json::Value::Type::kString)
    return at(key, "the key for X.509-SVIDs needs `x5c` with exactly one certificate");
  const json::Value& text = chain->items[0];
  const auto der = base::fromBase64(text.text, base::Base64::kPadded);
  if (!der) return at(text, "the certificate in `x5c` is not base64: " + der.error().message);
  const auto* from = reinterpret_cast<const unsigned char*>(der.value().data());
  const unsigned char* const end = from + der.value().size();
  Certificate certificate(d2i_X509(nullptr, &from, static_cast<long>(der.value().size())));
  if (from != end) certificate.reset();
  auto out = authority(std::move(certificate));
  if (!out) return at(text, "the certificate in `x5c` " + out.error().message);
  return out;
}

void append(std::string& out, const json::Value& value) {
  switch (value.type) {
    case json::Value::Type::kNull: out += "null"; break;
    case json::Value::Type::kBool: out += value.boolean ? "true" : "false"; break;
    case json::Value::Type::kInt: out += std::to_string(value.integer); break;
    case json::Value::Type::kDouble: out += std::to_string(value.number); break;
    case json::Value::Type::kString: json::appendQuoted(out, value.text); break;
    case json::Value::Type::kArray: {
      const char* before = "[";
      for (const auto& item : value.items) append(out += std::exchange(before, ","), item);
      out += value.items.empty() ? "[]" : "]";
      break;
    }
    case json::Value::Type::kObject: {
      const char* before = "{";
      for (const auto& [name, field] : value.fields) {
        json::appendQuoted(out += std::exchange(before, ","), name);
        append(out += ':', field);
      }
      out += value.fields.empty() ? "{}" : "}";
    }
  }
}

const std::string* textOf(const json::Value& object, std::string_view name) {
  const json::Value* field = object.find(name);
  return field != nullptr && field->type == json::Value::Type::kString ? &field->text : nullptr;
}

Status addJwtKey(const json::Value& key, std::set<std::string>& ids, std::vector<JwtAuthority>& out) {
  const std::string* id = textOf(key, "kid");
  if (id == nullptr || id->empty()) return at(key, "the key for JWT-SVIDs needs a `kid`");
  if (!ids.insert(*id).second) return at(key, "two keys for JWT-SVIDs have the same `kid`");
  append(out.emplace_back(JwtAuthority{*id, {}}).jwk, key);
  return {};
}

Status addKey(const json::Value& key, std::set<std::string>& ids, BundleContent& out) {
  if (key.type != json::Value::Type::kObject) return at(key, "a key that is not an object");
  const std::string* use = textOf(key, "use");
  const std::string* type = textOf(key, "kty");
  if (use == nullptr || type == nullptr) return {};
  if (*use == "x509-svid") {
    out.authorities.push_back(TRY(certificateOf(key)));
  } else if (*use == "jwt-svid") {
    return addJwtKey(key, ids, out.jwt_authorities);
  }
  return {};
}

// A whole number; nothing if it is missing.
Result<std::optional<int64_t>> numberOf(const json::Value& document, std::string_view name) {
  const json::Value* field = document.find(name);
  if (field == nullptr) return std::optional<int64_t>();
  if (field->type != json::Value::Type::kInt || field->integer < 0)
    return at(*field, "`" + std::string(name) + "` is not a whole number of at least 0");
  return std::optional<int64_t>(field->integer);
}

Result<const json::Value*> keysOf(const json::Value& document) {
  const json::Value* keys = document.find("keys");
  if (keys != nullptr && keys->type == json::Value::Type::kArray) return keys;
  return at(document, "not a bundle document: it has no array `keys`");
}

Result<BundleContent> readDocument(std::string_view text) {
  const auto document = TRY(json::parse(text, false, kDepth));
  BundleContent out;
  out.document = true;
  out.sequence = TRY(numberOf(document, "spiffe_sequence"));
  out.refresh_seconds = TRY(numberOf(document, "spiffe_refresh_hint")).value_or(0);
  std::set<std::string> ids;
  for (const auto& key : TRY(keysOf(document))->items) TRY(addKey(key, ids, out));
  return out;
}

}  // namespace

Result<BundleContent> readBundle(std::string_view text) {
  if (text.size() > kMostBytes) return Error{"is larger than 4 MiB"};
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? readDocument(text) : readPem(text);
}

Result<std::vector<JwtAuthority>> readJwtAuthorities(std::string_view text) {
  if (text.size() > kMostBytes) return Error{"is larger than 4 MiB"};
  const auto document = TRY(json::parse(text, false, kDepth));
  std::vector<JwtAuthority> out;
  std::set<std::string> ids;
  for (const auto& key : TRY(keysOf(document))->items) {
    if (key.type != json::Value::Type::kObject) return at(key, "a key that is not an object");
    const json::Value* use = key.find("use");
    if (use == nullptr || (use->type == json::Value::Type::kString && use->text == "jwt-svid"))
      TRY(addJwtKey(key, ids, out));
  }
  return out;
}

}  // namespace yett::identity
