// What people should know about clusters: log, events, the admin page. Any thread.
#include "app/cluster_notice.h"
#include "app/server.h"
#include "base/mutex.h"
#include "runtime/generation.h"
#include "upstream/cluster.h"

namespace yett::app {

std::shared_ptr<const runtime::Generation> Server::shown() const {
  const base::Lock lock(status_mutex_);
  return shown_;
}

void Server::tellOfCluster(const std::string& cluster, upstream::Notice notice, const std::string& endpoint,
                           const std::string& why) {
  const char* what = eventOf(notice);
  if (isGood(notice))
    log_.info(what, {{"cluster", cluster}, {"endpoint", endpoint.empty() ? "all" : endpoint}, {"why", why}});
  else log_.warning(what, {{"cluster", cluster}, {"endpoint", endpoint.empty() ? "all" : endpoint}, {"why", why}});
}

// Names and health, which one thread looks after for all loops.
void Server::onWatch(const upstream::Cluster& cluster, upstream::Notice notice, const std::string& endpoint,
                     const std::string& why) {
  tellOfCluster(cluster.config.name, notice, endpoint, why);
  record(eventOf(notice), cluster.config.name + " " + endpoint, why);
}

}  // namespace yett::app
