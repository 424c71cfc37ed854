#include "framework/cli/run_observer.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "framework/core/text.h"
#include "framework/store/evaluations.h"

namespace atelier::cli {
namespace {

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string job_title(const Json& job) {
  const Json& work = job.at("job");
  const std::string kind = job.at("kind").get<std::string>();
  if (kind == "generate") return fmt::format("generate \"{}\"", text_at(work, "prompt"));
  std::string title = kind + " " + text_at(work, "method");
  if (kind == "train") title += "/" + text_at(work, "stage");
  if (const auto subject = work.find("concept"); subject != work.end() && subject->is_object()) {
    title += ", " + text_at(*subject, "name");
  }
  if (const auto seed = work.find("seed"); seed != work.end() && !seed->is_null())
    title += fmt::format(", seed {}", seed->dump());
  if (kind == "score") title += ", " + join(evaluations_of(job, job.at("outputs").front()));
  return title;
}

std::string RunObserver::take_title(std::int64_t job) {
  const auto found = titles_.extract(job);
  return found.empty() ? std::string() : found.mapped();
}

void RunObserver::print(const char* event, const Json& job, Json more) const {
  more["event"] = event;
  more["job"] = job.at("id");
  more["kind"] = job.at("kind");
  more["runs"] = job.at("runs");
  fmt::print("{}\n", more.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::fflush(stdout);
}

void RunObserver::started(const Json& job, std::size_t number, std::size_t total) {
  std::string& title = titles_[job.at("id").get<std::int64_t>()];
  title = fmt::format("[{}/{}] {}", number, total, job_title(job));
  progress_.reset();
  done_ = 0;
  if (several_ && !json_) fmt::print(stderr, "{}\n", title);
  if (json_) print("started", job, {{"number", number}, {"total", total}});
}

void RunObserver::progressed(const Json& job, const Json& event) {
  if (json_) {
    print("progress", job, event);
    return;
  }
  if (several_) return;
  const auto total = event.value("total", std::size_t{0});
  const auto done = event.value("done", std::size_t{0});
  if (total == 0) return;
  if (!progress_ || done < done_) {
    progress_ = std::make_unique<Progress>(titles_[job.at("id").get<std::int64_t>()], total);
    done_ = 0;
  }
  if (done > done_) progress_->advance(done - done_);
  done_ = done;
}

void RunObserver::finished(const Json& job, const Json& event) {
  progress_.reset();
  if (json_) {
    print("finished", job, event);
  } else {
    fmt::print(stderr, "{}: {:.1f} s\n", take_title(job.at("id").get<std::int64_t>()), event.value("seconds", 0.0));
  }
}

void RunObserver::tell(const char* event, const JobFailure& failure, const char* more) {
  progress_.reset();
  if (json_) {
    fmt::print("{}\n", Json{{"event", event},
                            {"job", failure.job},
                            {"kind", failure.kind},
                            {"class", failure.failure},
                            {"error", failure.text},
                            {"runs", failure.runs}}
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
    std::fflush(stdout);
  } else {
    fmt::print(stderr, "{}: failed ({}): {}{}\n", take_title(failure.job), failure.failure, failure.text, more);
  }
}

void RunObserver::failed(const JobFailure& failure) { tell("failed", failure, ""); }

void RunObserver::retried(const JobFailure& failure) {
  tell("retried", failure, "; it is tried again in a new worker");
}

}  // namespace atelier::cli
