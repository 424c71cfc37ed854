#include "tests/framework/worker/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/config/method_spec.h"
#include "framework/core/digest.h"
#include "framework/methods/loader.h"
#include "framework/store/spool.h"

namespace {

namespace fs = std::filesystem;
using namespace atelier;

const fs::path kSource = ATELIER_SOURCE_DIR;
const fs::path kPlugin = ATELIER_BINARY_DIR "/lib/atelier/plugins/textual_inversion.so";

std::vector<fs::path> photos() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kSource / "tests/eval/pictures/references/cat2"))
    files.push_back(entry);
  std::ranges::sort(files);
  return files;
}

Json output(const Json& description, Json fields) {
  fields["key"] = key_of(description);
  fields["description"] = description;
  return fields;
}

}  // namespace

bool has_textual_inversion() { return fs::exists(kPlugin); }

std::string key_of_output(const Json& job, std::size_t index) { return job["outputs"].at(index)["key"]; }

fs::path Workplace::object_of(const std::string& key) const {
  const auto record = store().find(key);
  if (!record) throw std::runtime_error("nothing under key " + key);
  return store().object_path(record->object);
}

std::vector<Json> spool_events(const Store& store, const std::string& type) {
  std::vector<Json> events;
  for (const auto& entry : fs::directory_iterator(store.spool_folder())) {
    read_spool(
        entry.path(), 0,
        [&](const Json& event) {
          if (event["type"] == type) events.push_back(event);
        },
        [](std::uint64_t, const std::string& why) { throw std::runtime_error(why); });
  }
  return events;
}

Json Workplace::common(const std::string& kind) const {
  return {{"job", kind},
          {"id", 7},
          {"store", root()},
          {"attempt", "attempt-" + kind},
          {"base", {{"model", (kSource / "tests/parity/models/sd15").string()}}},
          {"device", "cpu"},
          {"dtype", "float32"},
          {"threads", 1},
          {"method", "textual_inversion"},
          {"plugin", kPlugin.string()},
          {"concept", {{"name", "cat2"}, {"class_word", "cat"}, {"initializer", "a"}, {"kind", "object"}}}};
}

Json Workplace::train(const std::vector<std::int64_t>& steps, const std::string& extra) const {
  const MethodSpec spec = MethodPlugin::open(kPlugin).spec();
  Json job = common("train");
  job["options"] = resolve_options(spec, "",
                                   {{"placeholder_token", "<krk>"},
                                    {"resolution", 32},
                                    {"embedding.train_batch_size", 1},
                                    {"embedding.max_train_steps", steps.back()}},
                                   "test");
  job["stage"] = spec.stages.front().name;
  job["ordinal"] = 0;
  job["seed"] = 3;
  job["steps"] = steps.back();
  job["inputs"] = Json::object();
  job["fixed_loss"] = 8;
  job["snapshot"] = {{"every_steps", 5}, {"every_seconds", 0}};
  for (const auto& list : spec.stages.front().lists) job["lists"][list] = {"a photo of a {}", "a rendition of the {}"};
  for (const auto& photo : photos())
    job["photos"].push_back({{"path", photo.string()}, {"sha256", sha256_file(photo)}});
  for (const auto step : steps) {
    job["outputs"].push_back(output({{"kind", "train"}, {"step", step}, {"extra", extra}}, {{"step", step}}));
  }
  return job;
}

Json Workplace::sample(const Json& artifact, const std::vector<std::string>& texts,
                       const std::vector<std::int64_t>& seeds, std::int64_t batch) const {
  Json job = common("sample");
  job["artifact"] = artifact;
  job["sampler"] = {{"scheduler", "ddim"}, {"steps", 3}, {"guidance", 5.0}, {"settings", Json::object()}};
  job["size"] = {32, 32};
  job["batch"] = batch;
  job["negative"] = "";
  if (artifact.is_null()) job["plugin"] = nullptr;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Json description{
        {"kind", "sample"}, {"artifact", artifact}, {"prompt", texts[i]}, {"seeds", seeds}, {"batch", batch}};
    job["outputs"].push_back(
        output(description,
               {{"prompt_id", fmt::format("p{}", i)}, {"template", texts[i]}, {"text", texts[i]}, {"seeds", seeds}}));
  }
  return job;
}

Json Workplace::score(const Json& sample_job) const {
  Json job = common("score");
  job["protocol"] = {{"id", "ti_code"},
                     {"scoring",
                      {{"text_rule", "drop"},
                       {"generated", "png8"},
                       {"batch", 4},
                       {"encoders", {{"clip", {{"front_end", "ti-tensor"}, {"scores", {"image", "text"}}}}}},
                       {"image", {{"exif", "apply"}, {"alpha", "refuse"}, {"size", nullptr}, {"resize", "t-bicubic"}}},
                       {"set_scores", {"gbar_norm", "clip_t_paper"}}}}};
  job["encoders"] = {{"clip", {{"path", (kSource / "tests/eval/models/clip_tiny").string()}, {"digest", "0"}}}};
  for (const auto& photo : photos()) {
    job["references"].push_back(
        {{"path", photo.string()}, {"sha256", sha256_file(photo)}, {"name", photo.filename().string()}});
  }
  Json keys = Json::array();
  for (const auto& made : sample_job["outputs"]) {
    keys.push_back(made["key"]);
    job["sets"].push_back({{"prompt_id", made["prompt_id"]},
                           {"text", "A photo of {}"},
                           {"role", "reconstruction"},
                           {"key", made["key"]}});
  }
  job["outputs"].push_back(output({{"kind", "score"}, {"sets", keys}}, Json::object()));
  return job;
}
