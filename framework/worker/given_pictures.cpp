#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/worker/image_set.h"
#include "framework/worker/stage_jobs.h"

namespace atelier::worker {
namespace {

/// The bytes that were planned, not those that lie there now.
std::shared_ptr<const MappedFile> open_planned(const Job& entry) {
  auto file = MappedFile::open(entry.text("path"));
  if (sha256_hex(file->bytes()) == entry.text("sha256")) return file;
  throw Error({.where = entry.text("path"),
               .found = "other bytes than when the study was planned",
               .expected = "a picture that nobody changes while the study runs",
               .advice = "call `atelier run` again: it takes the picture as it is now"},
              ErrorKind::usage);
}

const Json& files_of(const JobOutput& output) {
  const auto files = output.job.find("files");
  if (files != output.job.end() && files->is_array() && !files->empty()) return *files;
  throw Error({.where = "job: files", .found = "nothing", .expected = "a list of pictures"}, ErrorKind::usage);
}

}  // namespace

void run_given_job(JobRun& run) {
  run.begin_work();
  std::int64_t done = 0;
  const auto total = static_cast<std::int64_t>(run.missing().size());
  for (const JobOutput& output : run.missing()) {
    run.check_stop();
    std::vector<std::shared_ptr<const MappedFile>> files;
    std::vector<std::span<const std::byte>> pictures;
    for (const Json& entry : files_of(output)) {
      files.push_back(open_planned(Job(entry)));
      pictures.push_back(files.back()->bytes());
    }
    const auto path = run.store().temporary_path();
    write_file_set(path, pictures);
    const auto bytes = std::filesystem::file_size(path);
    run.publish(output, run.store().adopt(path),
                {{"images", pictures.size()}, {"bytes", bytes}, {"seconds", run.seconds()}});
    run.progress(++done, total, "taking");
  }
}

}  // namespace atelier::worker
