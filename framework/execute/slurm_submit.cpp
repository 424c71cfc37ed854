#include "framework/execute/slurm_submit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/execute/frozen_programs.h"
#include "framework/execute/program.h"
#include "framework/execute/slurm_queue.h"
#include "framework/execute/slurm_slices.h"
#include "framework/plan/remaining.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

const char* const kWhere = "call this on a login node of the cluster, or leave out --executor";

/// For a shell: in single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char each : text) out += each == '\'' ? std::string("'\\''") : std::string(1, each);
  return out + "'";
}

/// The site's MaxArraySize: one more than the highest number of a task.
std::size_t longest_array() {
  const auto asked = run_program({"scontrol", "show", "config"}, kWhere);
  if (asked.status != 0) {
    throw Error({.where = "scontrol show config",
                 .found = asked.err.substr(0, asked.err.find('\n')),
                 .expected = "the site's MaxArraySize",
                 .advice = "see whether Slurm's controller answers: scontrol ping"});
  }
  std::size_t size = 1001;  // Slurm's default
  const auto place = asked.out.find("MaxArraySize");
  const auto digit = place == std::string::npos ? place : asked.out.find_first_of("0123456789", place);
  if (digit != std::string::npos) std::from_chars(&asked.out[digit], asked.out.data() + asked.out.size(), size);
  if (size > 0) return size;
  throw Error({.where = "scontrol show config",
               .found = "MaxArraySize = 0",
               .expected = "a site that allows job arrays",
               .advice = "ask its administrators, or run the study with --executor local inside a job of your own"});
}

struct Refusal {
  std::string_view word, advice;
};
constexpr Refusal kRefusals[] = {
    {"account or", "correct `account` in the profile; sacctmgr show associations lists yours"},
    {"partition", "correct `partition` in the profile; sinfo lists them"},
    {"qos", "correct `qos` in the profile"},
    {"gres", "correct `gres` in the profile; sinfo -o '%P %G' lists them"},
    {"ime limit", "correct `time` in the profile; sinfo -o '%P %l' lists the limits"},
    {"array", "lower `tasks` in the profile"},
    {"feature", "correct `constraint` in the profile"},
    {"emory", "correct `memory` in the profile"},
    {"ode configuration",
     "ask for less in the profile: threads × slots, memory, gres; sinfo -o '%P %c %m %G' says what nodes have"},
};

[[noreturn]] void refused(const ProgramOutcome& outcome, const SlurmProfile& profile) {
  std::string said = outcome.err;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  std::replace(said.begin(), said.end(), '\n', ' ');
  std::string advice = "correct the profile";
  for (const Refusal& refusal : kRefusals) {
    if (said.find(refusal.word) == std::string::npos) continue;
    advice = refusal.advice;
    break;
  }
  throw Error(
      {.where = fmt::format("sbatch, partition {}", profile.partition.empty() ? "(default)" : profile.partition),
       .found = said.empty() ? fmt::format("exit status {}", outcome.status) : said,
       .expected = "the number of a job; nothing was submitted",
       .advice = advice});
}

/// Plugins that the slices' jobs open.
std::vector<std::string> plugins_of(const Json& manifest) {
  std::set<std::string> plugins;
  for (const Json& job : manifest.at("jobs")) {
    const Json& plugin = member_of(manifest, job.at("job"), "plugin");
    if (plugin.is_string()) plugins.insert(plugin.get<std::string>());
  }
  return {plugins.begin(), plugins.end()};
}

struct Missing {
  std::set<std::int64_t> open;    ///< what nobody does
  std::set<std::int64_t> undone;  ///< what is not in the store
};

bool in_queue(const Json& job, const std::vector<std::size_t>& work, const std::set<std::string>& keys) {
  return std::ranges::all_of(
      work, [&](std::size_t k) { return keys.contains(job.at("outputs")[k].at("key").get_ref<const std::string&>()); });
}

Missing find_missing(const Json& manifest, const Store& store) {
  const auto keys = keys_in_queue(store, slurm_queue());
  Missing missing;
  for (const auto& [id, work] : work_to_do(manifest, store)) {
    missing.undone.insert(id);
    if (!in_queue(manifest.at("jobs").at(static_cast<std::size_t>(id)), work, keys)) missing.open.insert(id);
  }
  return missing;
}

void write_submission(const std::vector<Json>& slices, const Json& manifest, const fs::path& folder,
                      const SlurmProfile& profile) {
  fs::create_directories(folder);
  Json keys = Json::array();
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Json own = Json::array();
    for (const Json& job : slices[i].at("jobs")) {
      for (const Json& output : job.at("outputs")) own.push_back(output.at("key"));
    }
    keys.push_back(own);
    write_file_atomically(folder / fmt::format("slice-{}.json", i), slices[i].dump());
  }
  write_file_atomically(folder / "submission.json", Json{{"study", manifest.at("study")},
                                                         {"keys", keys},
                                                         {"seconds", profile.seconds},
                                                         {"margin", profile.margin},
                                                         {"requeues", profile.requeues}}
                                                        .dump());
}

std::string submit(const fs::path& folder, const SlurmProfile& profile) {
  const auto outcome = run_program({"sbatch", "--parsable", (folder / "task.sh").string()}, kWhere);
  const std::string number = outcome.out.substr(0, outcome.out.find_first_not_of("0123456789"));
  if (outcome.status != 0 || number.empty()) refused(outcome, profile);
  write_file_atomically(folder / "job.json", Json{{"job", number}}.dump());
  return number;
}

}  // namespace

std::string slurm_script(const SlurmProfile& profile, std::int64_t threads, const fs::path& folder,
                         const fs::path& programs, const fs::path& store, std::size_t tasks) {
  std::string script = "#!/bin/sh\n";
  const auto option = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) script += fmt::format("#SBATCH --{}={}\n", name, value);
  };
  option("job-name", folder.filename().string());
  option("array", fmt::format("0-{}", tasks - 1));
  option("partition", profile.partition);
  option("account", profile.account);
  option("qos", profile.qos);
  option("constraint", profile.constraint);
  option("gres", profile.gres);
  option("mem", profile.memory);
  option("time", fmt::format("{}", (profile.seconds + 59) / 60));
  option("cpus-per-task", fmt::format("{}", threads * profile.slots));
  option("ntasks", "1");
  option("open-mode", "append");
  option("chdir", quoted(folder.string()));
  option("signal", fmt::format("B:USR2@{}", profile.margin));
  option("output", quoted((folder / "task-%a.log").string()));
  script += "#SBATCH --requeue\n";
  for (const std::string& each : profile.options) script += "#SBATCH " + each + "\n";
  for (const std::string& line : profile.setup) script += line + "\n";
  const std::string libraries = (programs / "lib").string();
  script += fmt::format("export LD_LIBRARY_PATH={}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n", quoted(libraries));
  script += fmt::format("export ATELIER_WORKER={}\n", quoted((programs / "bin/atelier-worker").string()));
  script += fmt::format("export ATELIER_DATA={}\n", quoted((programs / "share/atelier/data").string()));
  script += fmt::format("exec {} slurm-task {} --store {}\n", quoted((programs / "bin/atelier").string()),
                        quoted(folder.string()), quoted(store.string()));
  return script;
}

SlurmSubmitted submit_to_slurm(const Json& manifest, const Store& store, const SlurmProfile& profile,
                               const fs::path& worker) {
  const fs::path top = fs::absolute(slurm_folder(store)).lexically_normal();
  fs::create_directories(top / "programs");
  const auto lock = lock_file(top / "submit.lock", true);
  const Missing missing = find_missing(manifest, store);
  SlurmSubmitted result{.job = {},
                        .jobs = missing.open.size(),
                        .cached = manifest.at("jobs").size() - missing.undone.size(),
                        .queued = missing.undone.size() - missing.open.size(),
                        .folder = {}};
  if (missing.open.empty()) return result;

  const auto most = std::min(static_cast<std::size_t>(profile.tasks), longest_array());
  const auto frozen =
      freeze_programs(top / "programs", store.temporary_path(), fs::canonical(worker), plugins_of(manifest));
  std::vector<Json> slices;
  for (const auto& ids : slurm_slices(manifest, missing.open, missing.undone, most)) {
    slices.push_back(slice_manifest(manifest, ids, frozen.plugins, profile.slots));
  }
  result.tasks = slices.size();
  result.folder = top / ("atelier-" + random_uuid());
  try {
    write_submission(slices, manifest, result.folder, profile);
    const auto threads = std::max<std::int64_t>(manifest.at("placement").at("threads").get<std::int64_t>(), 1);
    write_file_atomically(result.folder / "task.sh",
                          slurm_script(profile, threads, result.folder, frozen.folder,
                                       fs::absolute(store.root()).lexically_normal(), slices.size()));
    result.job = submit(result.folder, profile);
  } catch (const Error&) {
    fs::remove_all(result.folder);
    throw;
  }
  return result;
}

}  // namespace atelier
