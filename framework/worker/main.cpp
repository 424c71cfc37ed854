// atelier-worker: what needs tensors. The command `atelier` writes a job and becomes this program, or starts it with
// --serve and sends it the jobs of a study. This file is where rooms meet that do not see each other.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string_view>

#include "eval/eval_job.h"
#include "eval/mask_job.h"
#include "eval/score_job.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/tensor/cuda_libraries.h"
#include "framework/tensor/devices.h"
#include "framework/worker/job.h"
#include "framework/worker/serve.h"
#include "framework/worker/stage_jobs.h"

namespace atelier::worker {
namespace {

int usage() {
  fmt::print(stderr,
             "usage: atelier-worker --job FILE | --serve\nThis program is started by the command `atelier`; see "
             "atelier --help.\n");
  return 2;
}

void run(const char* path) {
  const Json json = read_json_file(path);
  const Job job(json);
  auto handlers = job_handlers();
  handlers["eval"] = eval::run_eval_job;
  const auto handler = handlers.find(job.text("job"));
  if (handler == handlers.end()) {
    throw Error({.where = "job",
                 .found = job.text("job"),
                 .expected = "a job that this worker knows",
                 .advice = "atelier and atelier-worker are of different versions; build both"},
                ErrorKind::usage);
  }
  set_threads(job.optional_integer("threads"));
  handler->second(job);
}

int serve_jobs() {
  return serve({{"train", run_train_job},
                {"sample", run_sample_job},
                {"generate", run_sample_job},
                {"given", run_given_job},
                {"merge", run_merge_job},
                {"mask", eval::run_mask_job},
                {"score", eval::run_score_job}});
}

}  // namespace
}  // namespace atelier::worker

int main(int argc, char** argv) {
  using namespace atelier;
  // Before any call into ATen: it asks once for its CUDA hooks and remembers the answer for the life of the process.
  open_cuda_libraries();
  use_exact_arithmetic();
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool serve = argc == 2 && mode == "--serve";
  if (!serve && (argc != 3 || mode != "--job")) return worker::usage();
  try {
    if (serve) return worker::serve_jobs();
    worker::run(argv[2]);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "atelier: {}\n", error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "atelier: out of memory; use a smaller --size, --batch or --dtype bfloat16\n");
  } catch (const std::exception& error) {
    const std::string_view text = error.what();  // LibTorch appends a stack trace
    fmt::print(stderr, "atelier: internal error: {}\n", text.substr(0, text.find('\n')));
  }
  return 1;
}
