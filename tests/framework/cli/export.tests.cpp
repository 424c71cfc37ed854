// `export`: which file goes where.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/atomic_file.h"
#include "framework/store/store.h"
#include "tests/framework/cli/child.h"
#include "tests/framework/files/zip_writer.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

/// A study that nobody ran: its manifest, and what a worker would have published.
class Exported {
 public:
  void run(const std::string& id, const std::string& label, const Json& checkpoint, const Json& artifacts) {
    manifest_["runs"].push_back({{"id", id},
                                 {"method", "m"},
                                 {"concept", "cat"},
                                 {"seed", 0},
                                 {"checkpoint", checkpoint},
                                 {"label", label},
                                 {"artifacts", artifacts}});
  }

  /// A job with these outputs; each gets a key and an object that holds `content` and the output's number.
  Json job(const std::string& kind, const Json& runs, const std::vector<Json>& outputs) {
    Json made{{"id", manifest_["jobs"].size()},
              {"kind", kind},
              {"needs", Json::array()},
              {"runs", runs},
              {"base", "b"},
              {"outputs", Json::array()},
              {"job", {{"plugin", "p.so"}}}};
    Json keys = Json::array();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Json description{{"kind", kind}, {"job", made["id"]}, {"output", i}};
      const auto mark = made["id"].dump() + "." + std::to_string(i);
      const auto object = store_.put(kind == "sample" ? ZipWriter{.entries = {{"000.png", mark}}}.bytes() : mark);
      static_cast<void>(store_.publish({key_of(description), description, object, Json::object(), {}}));
      Json output = outputs[i];
      output["key"] = key_of(description);
      output["description"] = description;
      keys.push_back(output["key"]);
      made["outputs"].push_back(output);
    }
    manifest_["jobs"].push_back(made);
    return keys;
  }

  /// Runs the command; file -> content, below --out.
  std::map<std::string, std::string> files(const std::string& what) {
    static_cast<void>(store_.put_manifest(manifest_));
    const auto out = folder_ / what.substr(2);
    const Outcome done = run_atelier({"export", "toy", what, "--out", out, "--store", folder_ / "store"});
    INFO(done.err);
    CHECK(done.code == 0);
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      if (entry.is_regular_file()) found[entry.path().lexically_relative(out)] = read_text_file(entry.path());
    }
    return found;
  }

  /// The job that the worker is handed for `--form authors`.
  Json authors() {
    static_cast<void>(store_.put_manifest(manifest_));
    const Outcome done = run_atelier({"export", "toy", "--artifacts", "--form", "authors", "--out", folder_ / "authors",
                                      "--store", folder_ / "store"});
    return parse_json(done.out, done.err);
  }

  [[nodiscard]] std::string object_of(const Json& key) const {
    return store_.object_path(store_.find(key.get<std::string>())->object).string();
  }

 private:
  TemporaryFolder folder_;
  Store store_ = Store::create_or_open(folder_ / "store");
  Json manifest_{{"study", "toy"}, {"runs", Json::array()}, {"jobs", Json::array()}};
};

using Files = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("A checkpoint's folder holds its own artifacts and none of another's", "[cli][export]") {
  Exported study;
  const auto keys = study.job("train", {"r0", "r1"}, {{{"step", 0}}, {{"step", 10}}});
  const auto later = study.job("train", {"r1"}, {{{"step", 5}}});
  study.run("r0", "m", 0, Json::array({keys[0]}));
  study.run("r1", "m", 15, Json::array({keys[1], later[0]}));
  CHECK(study.files("--artifacts") == Files{{"m/cat/seed0_step0/job0_step0.safetensors", "0.0"},
                                            {"m/cat/seed0_step15/job0_step10.safetensors", "0.1"},
                                            {"m/cat/seed0_step15/job1_step5.safetensors", "1.0"}});
  const auto items = study.authors().at("items");
  REQUIRE(items.size() == 2);
  CHECK(items[0]["object"] == study.object_of(keys[0]));
  CHECK(items[1]["object"] == study.object_of(later[0]));
}

TEST_CASE("Pictures of one prompt that two evaluations want otherwise do not share a folder", "[cli][export]") {
  Exported study;
  study.run("r0", "m", Json(), Json::array());
  study.job("sample", {"r0"},
            {{{"prompt_id", "ti/edit/0"}, {"evaluations", {"a", "b"}}},
             {{"prompt_id", "ti/edit/1"}, {"evaluations", {"a"}}}});
  study.job("sample", {"r0"}, {{{"prompt_id", "ti/edit/0"}, {"evaluations", {"large"}}}});
  CHECK(study.files("--images") == Files{{"m/cat/seed0/ti_edit_0.a+b/000.png", "0.0"},
                                         {"m/cat/seed0/ti_edit_0.large/000.png", "1.0"},
                                         {"m/cat/seed0/ti_edit_1/000.png", "0.1"}});
}

TEST_CASE("Labels that read alike once they are file names, or are too long, get names of their own", "[cli][export]") {
  Exported study;
  const std::string longest(100, 'x');
  const std::vector<std::string> labels{"m a=b/c", "m a=b c", "m_a=b_c", longest, longest + "1", longest + "2", "m"};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto id = "r" + std::to_string(i);
    const auto key = study.job("train", {id}, {{{"step", 1}}});
    study.run(id, labels[i], Json(), key);
  }
  study.run("r7", "m", Json(), study.job("train", {"r7"}, {{{"step", 1}}}));  // an anchor of another base, of one name
  const auto files = study.files("--artifacts");
  CHECK(files.size() == 8);
  CHECK(study.files("--artifacts") == files);
  CHECK(files.at("m_a=b_c/cat/seed0/job2_step1.safetensors") == "2.0");
  CHECK(files.at(longest + "/cat/seed0/job3_step1.safetensors") == "3.0");
  CHECK(files.at("m/cat/seed0_r7/job7_step1.safetensors") == "7.0");
  std::set<std::string> labels_seen;
  for (const auto& [name, content] : files) {
    const auto label = name.substr(0, name.find('/'));
    CHECK(label.size() <= 100);
    labels_seen.insert(label);
  }
  CHECK(labels_seen.size() == 7);
}
