#include "policy/secret_names.h"

#include <algorithm>
#include <string>

#include "base/base64.h"
#include "base/text.h"

namespace yett::policy {
namespace {

constexpr std::string_view kParts[] = {"auth",       "cookie", "token",     "secret", "passw",  "session",
                                       "api-key",    "apikey", "api_key",   "jwt",    "oidc",   "signature",
                                       "credential", "code",   "assertion", "saml",   "bearer", "private-key"};
// Identities by convention: of gateways and load balancers (AWS, Google, Cloudflare, Azure), RFC 9440, RFC 9449.
constexpr std::string_view kWhole[] = {"key",
                                       "sig",
                                       "pwd",
                                       "pin",
                                       "otp",
                                       "dpop",
                                       "client-cert",
                                       "client-cert-chain",
                                       "x-userinfo",
                                       "x-ms-client-principal",
                                       "x-goog-authenticated-user-id"};

}  // namespace

bool isSecretName(std::string_view sent) {
  const std::string name = base::lowered(sent);
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; }) ||
         std::find(std::begin(kWhole), std::end(kWhole), name) != std::end(kWhole);
}

namespace {

// The name of a field whose value is a credential. The matcher `jwt` names a provider.
bool isSecretField(std::string_view name) {
  return name != "jwt" && name != "not_jwt" && isSecretName(name);
}

// A long mix of letters and digits, unlike a word.
bool looksRandom(std::string_view text) {
  constexpr size_t kMin = 20;
  bool letter = false, digit = false;
  for (const char c : text) {
    const bool l = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool d = c >= '0' && c <= '9';
    if (!l && !d && std::string_view("+=_-").find(c) == std::string_view::npos) return false;
    letter = letter || l;
    digit = digit || d;
  }
  return text.size() >= kMin && letter && digit;
}

bool looksLikeCredential(std::string_view text) {
  for (const std::string_view start : {"Bearer ", "Basic ", "eyJ", "AKIA", "ASIA", "ghp_", "gho_", "github_pat_",
                                       "glpat-", "xoxb-", "xoxp-", "sk-", "sk_live_", "AIza", "-----BEGIN"}) {
    if (text.starts_with(start) && text.size() > start.size() + 3) return true;
  }
  return looksRandom(text);
}

}  // namespace

namespace {

bool isBase64Url(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Whether it is base64url of what begins like a JSON object with a member, also after blanks.
bool isJoseHeader(std::string_view part) {
  constexpr std::string_view kBlanks = " \t\r\n";
  constexpr size_t kMost = 64;
  const auto bytes = base::fromBase64(part.substr(0, std::min(part.size(), kMost) / 4 * 4), base::Base64::kUrl);
  if (!bytes) return false;
  std::string_view json = bytes.value();
  json.remove_prefix(std::min(json.find_first_not_of(kBlanks), json.size()));
  if (json.empty()) return part.size() >= kMost;  // so many blanks
  if (json[0] != '{') return false;
  const auto member = json.find_first_not_of(kBlanks, 1);
  return member == std::string_view::npos ? part.size() >= kMost : json[member] == '"';
}

}  // namespace

bool holdsJwt(std::string_view text) {
  constexpr std::string_view kStart = "eyJ";  // {" in base64url, wherever it stands
  for (size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.', dot + 1)) {
    size_t begin = dot;
    while (begin > 0 && isBase64Url(text[begin - 1])) --begin;
    size_t end = dot + 1;
    while (end < text.size() && isBase64Url(text[end])) ++end;
    if (end == text.size() || text[end] != '.') continue;
    const auto header = text.substr(begin, dot - begin);
    if (header.find(kStart) != std::string_view::npos || isJoseHeader(header)) return true;
  }
  return false;
}

std::string withoutCredentials(std::string_view line) {
  std::string out;
  bool secret = false;  // the last name was a secret name
  for (size_t i = 0; i < line.size();) {
    const char quote = line[i];
    if (quote != '"' && quote != '\'') {
      // `name =` of a table field; the name of a variable counts too.
      size_t end = i;
      while (end < line.size() && line[end] != '"' && line[end] != '\'' && line[end] != '=') ++end;
      const auto word = base::trimmed(line.substr(i, end - i));
      const auto from = word.find_last_of(" \t{,(.[");
      if (end < line.size() && line[end] == '=' && !word.empty() && word.back() != ']' && word.back() != '~' &&
          word.back() != '<' && word.back() != '>')
        secret = isSecretField(word.substr(from == std::string_view::npos ? 0 : from + 1)) ||
                 (secret && line.substr(end, 2) == "==");
      const size_t next = std::min(end + (end < line.size() && line[end] == '=' ? 1 : 0), line.size());
      out += line.substr(i, next - i);
      i = next;
      continue;
    }
    size_t end = i + 1;
    while (end < line.size() && line[end] != quote) end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    const auto text = line.substr(i + 1, end - i - 1);
    const auto rest = base::trimmed(line.substr(std::min(end + 1, line.size())));
    const bool name = rest.starts_with(']') || rest.starts_with(':');
    if (name) secret = isSecretField(text);
    out += quote;
    out += !name && !text.empty() && (secret || looksLikeCredential(text)) ? std::string_view("(masked)") : text;
    if (end < line.size()) out += quote;
    i = std::min(end + 1, line.size());
  }
  return out;
}

}  // namespace yett::policy
