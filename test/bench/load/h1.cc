#include <algorithm>
#include <charconv>

#include "codec.h"

namespace load {
namespace {

class H1 final : public Codec {
 public:
  H1(const Options& options, Choices& choices, Run& run, bool once)
      : options_(options),
        choices_(choices),
        run_(run),
        once_(once),
        tail_(" HTTP/1.1\r\nhost: " + options.host + "\r\nuser-agent: yett-load\r\naccept: */*\r\n") {
    for (const auto& header : options.headers) tail_ += header + "\r\n";
    if (!options.json.empty()) tail_ += "content-type: application/json\r\n";
    if (options.body > 0 || !options.json.empty())
      tail_ += "content-length: " + std::to_string(options.json.empty() ? options.body : options.json.size()) + "\r\n";
    tail_ += "\r\n";
  }

  void begin(std::string& out) override { ask(out); }
  bool done() const override { return done_; }
  uint64_t waiting() const override { return done_ ? 0 : 1; }

  bool onBytes(std::string_view bytes, std::string& out) override {
    while (!bytes.empty()) {
      if (!in_body_) {
        head_.append(bytes);
        const size_t end = head_.find("\r\n\r\n");
        if (end == std::string::npos) return head_.size() < 65536;
        const size_t more = head_.size() - end - 4;
        bytes = bytes.substr(bytes.size() - more);
        if (!readHead(std::string_view(head_).substr(0, end + 2))) return false;
        head_.clear();
        in_body_ = true;
      }
      const size_t n = std::min<uint64_t>(left_, bytes.size());
      left_ -= n;
      bytes.remove_prefix(n);
      if (run_.measuring) run_.bytes += n;
      if (left_ > 0) return true;
      in_body_ = false;
      run_.answer(asked_, status_ == options_.expect);
      done_ = once_;
      if (done_) return true;
      ask(out);
    }
    return true;
  }

 private:
  void ask(std::string& out) {
    asked_ = nanos();
    out += options_.method;
    out += ' ';
    choices_.fill(options_.path, out);
    choices_.fill(tail_, out);
    if (options_.json.empty()) out.append(options_.body, 'x');
    else out += options_.json;
  }

  bool readHead(std::string_view head) {
    if (head.size() < 12 || !head.starts_with("HTTP/1.1 ")) return false;
    std::from_chars(head.data() + 9, head.data() + 12, status_);
    bool length = false;
    for (size_t at = head.find("\r\n") + 2; at < head.size(); at = head.find("\r\n", at) + 2) {
      static constexpr std::string_view kName = "content-length:";
      const auto line = head.substr(at, head.find("\r\n", at) - at);
      const bool same =
          line.size() > kName.size() && std::equal(kName.begin(), kName.end(), line.begin(),
                                                   [](char a, char b) { return a == (b | 0x20) || a == b; });
      if (!same) continue;
      const auto digits = line.substr(line.find_first_of("0123456789"));
      length = std::from_chars(digits.data(), digits.data() + digits.size(), left_).ec == std::errc();
    }
    return length;  // every response measured here has one
  }

  const Options& options_;
  Choices& choices_;
  Run& run_;
  const bool once_;
  std::string tail_;
  std::string head_;
  int64_t asked_ = 0;
  uint64_t left_ = 0;
  int status_ = 0;
  bool in_body_ = false;
  bool done_ = false;
};

}  // namespace

std::unique_ptr<Codec> makeH1(const Options& options, Choices& choices, Run& run, bool once) {
  return std::make_unique<H1>(options, choices, run, once);
}

}  // namespace load
