// Stands for atelier-worker: publishes what a job asks for, or does what its "act", else ATELIER_ACT, says.
#include <fmt/format.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "framework/store/spool.h"
#include "framework/store/store.h"

namespace {

using atelier::Json;

void say(const Json& event) { std::cout << event.dump() << std::endl; }

void publish(const Json& job) {
  const auto store = atelier::Store::open(job.at("store").get<std::string>());
  for (const Json& output : job.at("outputs")) {
    const std::string key = output.at("key").get<std::string>();
    const std::string object = store.put("content of " + key);
    (void)store.publish({.key = key,
                         .description = output.at("description"),
                         .object = object,
                         .summary = Json::object(),
                         .divergent = {}});
    say({{"event", "published"}, {"job", job.at("id")}, {"key", key}, {"object", object}});
  }
}

/// False when the program is to end.
bool act(const Json& job) {
  const char* otherwise = std::getenv("ATELIER_ACT");
  const std::string what = job.value("act", otherwise == nullptr ? "" : otherwise);
  const Json id = job.at("id");
  if (what == "die") std::raise(SIGKILL);
  if (what == "fail") {
    say({{"event", "failed"}, {"job", id}, {"class", "method"}, {"error", {{"text", "the loss is not finite"}}}});
    return true;
  }
  if (what == "fail_as") {
    say({{"event", "failed"}, {"job", id}, {"class", job.at("class")}, {"error", {{"text", job.at("text")}}}});
    return true;
  }
  if (what == "fail_once" && !std::filesystem::exists(job.at("mark").get<std::string>())) {
    std::ofstream(job.at("mark").get<std::string>()) << ::getpid();
    say({{"event", "failed"}, {"job", id}, {"class", job.at("class")}, {"error", {{"text", "once"}}}});
    return true;
  }
  if (what == "fail_once") std::ofstream(job.at("mark").get<std::string>() + ".then") << ::getpid();
  if (what == "linger") {  // until the input ends: an interrupted training
    std::string rest;
    while (std::getline(std::cin, rest)) continue;
    say({{"event", "failed"}, {"job", id}, {"class", "interrupted"}});
    return false;
  }
  if (what == "meet") {  // until the other job has begun too
    std::ofstream(job.at("own").get<std::string>()) << "here";
    while (!std::filesystem::exists(job.at("other").get<std::string>())) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  publish(job);
  say({{"event", "finished"}, {"job", id}, {"seconds", 0.5}, {"skipped", Json::array()}});
  return true;
}

}  // namespace

int main() {
  say({{"event", "ready"}});
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json job = Json::parse(line);
    say({{"event", "started"}, {"job", job.at("id")}});
    say({{"event", "progress"}, {"job", job.at("id")}, {"done", 1}, {"total", 2}, {"what", "training"}});
    if (!act(job)) return 3;
  }
  return 0;
}
