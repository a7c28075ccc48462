#include "identity/pem.h"

#include <algorithm>

namespace yett::identity {
namespace {

constexpr std::string_view kDashes = "-----";
constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";

Error at(int line, const std::string& what) {
  return Error{"line " + std::to_string(line) + ": " + what};
}

// The label of a complete BEGIN or END line. Errors quote nothing else from the file: it may be a key.
bool labelOf(std::string_view line, std::string_view begin, std::string& label) {
  constexpr size_t kLongest = 64;
  if (!line.starts_with(begin) || !line.ends_with(kDashes) || line.size() < begin.size() + kDashes.size()) return false;
  label = line.substr(begin.size(), line.size() - begin.size() - kDashes.size());
  return label.size() <= kLongest && std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ';
         });
}

bool isBase64(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

// A header of the legacy key format: "Proc-Type: 4,ENCRYPTED".
bool isHeader(std::string_view line) {
  return line.find(": ") != std::string_view::npos;
}

}  // namespace

Result<std::vector<PemBlock>> pemBlocks(std::string_view file) {
  std::vector<PemBlock> out;
  bool inside = false;
  int number = 0;
  while (!file.empty()) {
    const size_t size = std::min(file.find('\n'), file.size());
    std::string_view line = file.substr(0, size);
    file.remove_prefix(std::min(size + 1, file.size()));
    ++number;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    std::string label;
    if (labelOf(line, kBegin, label)) {
      if (inside) return at(out.back().line, "the block `" + out.back().label + "` has no END line");
      out.push_back({label, "", number});
      inside = true;
    } else if (labelOf(line, kEnd, label)) {
      if (!inside || label != out.back().label)
        return at(number, "the END line of `" + label + "` has no matching BEGIN line");
      out.back().text.append(line).append("\n");
      inside = false;
      continue;
    } else if (line.starts_with('#')) {
      continue;
    } else if (line.find("BEGIN ") != std::string_view::npos && line.find("END ") != std::string_view::npos) {
      return at(number, "BEGIN and END of a block on one line: the newlines are missing");
    } else if (line.find("BEGIN ") != std::string_view::npos && line.find("---") != std::string_view::npos) {
      return at(number, "a malformed BEGIN line: write it in full, at the start of the line");
    } else if (inside && !isBase64(line) && !isHeader(line)) {
      return at(number, "not a valid line in a PEM block");
    }
    if (inside) out.back().text.append(line).append("\n");
  }
  if (inside) return at(out.back().line, "the block `" + out.back().label + "` has no END line: the file is cut off");
  return out;
}

Result<std::vector<PemBlock>> certificateBlocks(std::string_view file, bool with_keys) {
  auto blocks = TRY(pemBlocks(file));
  for (const auto& block : blocks) {
    if (block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE") continue;
    if (with_keys && (block.label.ends_with("PRIVATE KEY") || block.label.ends_with(" PARAMETERS"))) continue;
    return at(block.line, "`" + block.label + "` is not a certificate" +
                              (block.label == "TRUSTED CERTIFICATE"
                                   ? ": convert it to a plain certificate (openssl x509 -in FILE -out FILE)"
                                   : ""));
  }
  std::erase_if(blocks, [](const PemBlock& block) { return !block.label.ends_with("CERTIFICATE"); });
  return blocks;
}

int noPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace yett::identity
