#include "proxy/counts.h"

namespace yett::proxy {

void Counts::request(const std::string& listener, std::string_view route, int status) {
  key_ = listener;
  key_ += ' ';
  key_ += route;
  key_ += static_cast<char>(status / 100);
  key_ += static_cast<char>(status % 100);
  auto it = requests_.find(key_);
  if (it == requests_.end()) {
    base::Counter& counter = metrics_.counter(
        "yett_requests_total", {{"listener", listener}, {"route", route}, {"code", std::to_string(status)}},
        "requests by response status");
    it = requests_.emplace(key_, &counter).first;
  }
  it->second->add();
}

void Counts::cause(Cause cause) {
  base::Counter*& counter = causes_[static_cast<size_t>(cause)];
  if (counter == nullptr)
    counter = &metrics_.counter("yett_exchanges_ended_total", {{"cause", info(cause).label}},
                                "exchanges that ended without the complete response of the service, by cause");
  counter->add();
}

}  // namespace yett::proxy
