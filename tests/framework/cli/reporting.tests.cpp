// `report`, `export --grid` and the forms of `table`: what is written, and what is refused.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "framework/core/atomic_file.h"
#include "framework/image/decode.h"
#include "framework/image/encode.h"
#include "framework/store/live.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/framework/cli/child.h"
#include "tests/framework/files/zip_writer.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Contains;

namespace {

/// Two prompts of one run, and pictures of the first alone.
class HalfMade {
 public:
  HalfMade() {
    const auto store = Store::create_or_open(folder_ / "store");
    Json outputs = Json::array();
    for (const char* prompt : {"a", "b"}) {
      const Json description{{"kind", "sample"}, {"prompt", prompt}};
      outputs.push_back({{"key", key_of(description)},
                         {"description", description},
                         {"prompt_id", prompt},
                         {"template", prompt},
                         {"text", prompt},
                         {"seeds", {1}}});
    }
    const auto png = encode_png(make_raster<Image>({4, 4}));
    const std::string picture(reinterpret_cast<const char*>(png.data()), png.size());
    const auto object = store.put(ZipWriter{.entries = {{"000.png", picture}}}.bytes());
    static_cast<void>(store.publish({outputs[0]["key"], outputs[0]["description"], object, Json::object(), {}}));
    const Json run{{"id", "f0"}, {"method", "m"}, {"concept", "cat"}, {"seed", 0}, {"label", "m"}};
    const Json job{{"id", 0}, {"kind", "sample"}, {"runs", {"f0"}}, {"base", "b"}, {"outputs", outputs}};
    static_cast<void>(store.put_manifest({{"study", "toy"}, {"runs", {run}}, {"jobs", {job}}}));
  }

  Outcome ask(std::vector<std::string> words) const {
    words.insert(words.end(), {"--store", folder_ / "store"});
    return run_atelier(words);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("status shows what works on a study now, how far it is and what is left of it", "[cli][reporting]") {
  const HalfMade study;
  const auto store = Store::open(study.file("store"));
  CHECK(parse_json(study.ask({"status", "toy", "--json"}).out, "status").at("live").empty());
  const auto manifest = parse_json(study.ask({"status", "--json"}).out, "status")[0].at("manifest");
  const LiveFile live(store);
  live.write(
      {{"study", "toy"},
       {"manifest", manifest},
       {"host", "here"},
       {"pid", 7},
       {"workers", 1},
       {"begun", 2},
       {"total", 5},
       {"jobs",
        {{{"job", 0}, {"title", "sample m, cat"}, {"what", "sampling"}, {"done", 30}, {"total", 50}, {"rate", 4.0}},
         {{"job", 1}, {"title", "score m, cat"}}}}});
  const auto told = study.ask({"status", "toy"});
  CHECK(told.code == 0);
  CHECK_THAT(told.out, Contains("now: toy on here, process 7, job 2 of 5\n") &&
                           Contains("  sample m, cat: sampling 30/50, 4.00/s, 5 s left\n  score m, cat: begins\n"));
  const Json json = parse_json(study.ask({"status", "toy", "--json"}).out, "status");
  CHECK(json.at("live")[0].at("jobs")[0].at("seconds_left") == 5.0);
  CHECK(json.at("left").at("unmeasured_jobs") == 1);
  CHECK_THAT(study.ask({"status"}).out, Contains("now: toy on here"));
}

TEST_CASE("A page, a grid and a LaTeX table are written, and what is not made yet is told", "[cli][reporting]") {
  const HalfMade study;
  REQUIRE(study.ask({"report", "toy", "--out", study.file("page.html")}).code == 0);
  CHECK_THAT(read_text_file(study.file("page.html")), Catch::StartsWith("<!DOCTYPE html>") && Contains("not made yet"));
  const auto grid = study.ask({"export", "toy", "--grid", study.file("grid.png")});
  CHECK(grid.code == 1);
  CHECK_THAT(grid.err, Contains("1 pictures of the grid are not made yet"));
  CHECK(decode_file(study.file("grid.png")).image.size() == Size{10, 4});
  CHECK(study.ask({"export", "toy", "--grid", study.file("grid.jpg")}).code == 1);
  CHECK_THAT(read_text_file(study.file("grid.jpg")), Catch::StartsWith("\xFF\xD8\xFF"));
  CHECK(decode_file(study.file("grid.jpg")).image.size() == Size{10, 4});
  CHECK_THAT(study.ask({"table", "toy", "--as", "tex", "--standalone"}).out, Contains("\\begin{document}"));
  CHECK_THAT(study.ask({"table", "toy", "--as", "html"}).out, Catch::StartsWith("<figure"));
}

TEST_CASE("A bundle prints the same table and page as its store, and says where it is damaged", "[cli][reporting]") {
  const HalfMade study;
  const auto bundle = study.file("bundle");
  REQUIRE(study.ask({"export", "toy", "--bundle", bundle, "--with-pictures"}).code == 0);
  const auto elsewhere = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--store", bundle});
    return run_atelier(words);
  };
  CHECK(elsewhere({"table", "toy"}).out == study.ask({"table", "toy"}).out);
  REQUIRE(study.ask({"report", "toy", "--out", study.file("a.html")}).code == 0);
  REQUIRE(elsewhere({"report", "toy", "--out", study.file("b.html")}).code == 0);
  CHECK(read_text_file(study.file("a.html")) == read_text_file(study.file("b.html")));
  CHECK(elsewhere({"verify"}).code == 0);
  CHECK(study.ask({"export", "toy", "--bundle", bundle}).code == 2);  // it is there
  write_file_atomically(bundle + "/study.yaml", "other");
  const auto damaged = elsewhere({"table", "toy"});
  CHECK(damaged.code == 1);
  CHECK(damaged.out.empty());
  CHECK_THAT(damaged.err, Contains("bundle/study.yaml: SHA-256 ") && Contains("copy it again"));
}

TEST_CASE("A figure needs an evaluation of identity and text, and a name that tells its form", "[cli][reporting]") {
  const HalfMade study;  // has none
  const auto none = study.ask({"export", "toy", "--figure", study.file("plot.pdf")});
  CHECK(none.code == 2);
  CHECK_THAT(none.err, Contains("an evaluation that scores identity and text"));
  CHECK_THAT(study.ask({"export", "toy", "--figure", study.file("plot.png")}).err, Contains("a file .svg or .pdf"));
}

TEST_CASE("Forms that do not go together are refused", "[cli][reporting]") {
  const HalfMade study;
  const auto grid = study.file("grid.png"), folder = study.file("out");
  for (const auto& [words, told] :
       {std::pair(std::vector<std::string>{"export", "toy", "--grid", grid, "--images", "--out", folder}, "several of"),
        std::pair(std::vector<std::string>{"export", "toy", "--grid", grid, "--out", folder}, "--out with --grid"),
        std::pair(std::vector<std::string>{"export", "toy", "--bundle", folder, "--out", folder},
                  "--out with --bundle"),
        std::pair(std::vector<std::string>{"export", "toy", "--images", "--out", folder, "--with-pictures"},
                  "--with-pictures without --bundle"),
        std::pair(std::vector<std::string>{"export", "toy", "--images"}, "no --out"),
        std::pair(std::vector<std::string>{"export", "toy", "--out", folder}, "none of"),
        std::pair(std::vector<std::string>{"table", "toy", "--standalone"}, "--as tex")}) {
    const auto refused = study.ask(words);
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, Contains(told));
  }
}

TEST_CASE("logs -f goes on with what is added as long as something works on the study", "[cli][reporting]") {
  const HalfMade study;
  const std::filesystem::path folder = study.file("store");
  const auto store = Store::open(folder);
  const auto manifest = std::filesystem::directory_iterator(folder / "manifests")->path().stem().string();
  Spool spool(store);
  spool.write({{"type", "attempt"},
               {"attempt", "a"},
               {"job_keys", {key_of({{"kind", "sample"}, {"prompt", "a"}})}},
               {"kind", "sample"},
               {"host", "here"},
               {"device", "cpu"}});
  spool.write({{"type", "event"}, {"attempt", "a"}, {"level", "info"}, {"text", "the first"}});
  auto live = std::make_unique<LiveFile>(store);
  live->write({{"study", "toy"}, {"manifest", manifest}});
  auto told = std::async(std::launch::async, [&study] { return study.ask({"logs", "f0", "-f"}); });
  while (!std::filesystem::exists(folder / "index.sqlite")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  spool.write({{"type", "event"}, {"attempt", "a"}, {"level", "info"}, {"text", "the second"}});
  live.reset();
  const auto outcome = told.get();
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("started sample on here cpu\n") && Contains("  info     the first\n") &&
                              Contains("  info     the second\n"));
}

TEST_CASE("status --json has what Slurm's queue says of the study's tasks", "[cli][reporting]") {
  const HalfMade study;
  CHECK(parse_json(study.ask({"status", "toy", "--json"}).out, "status").at("slurm").empty());
  const std::filesystem::path submission = study.file("store/slurm/atelier-one");
  std::filesystem::create_directories(submission);
  write_file_atomically(submission / "submission.json",
                        Json{{"study", "toy"}, {"keys", {{std::string(64, 'a')}, {std::string(64, 'b')}}}}.dump());
  write_file_atomically(submission / "job.json", R"({"job": "77"})");
  const std::filesystem::path squeue = study.file("programs/squeue");
  std::filesystem::create_directories(squeue.parent_path());
  write_file_atomically(squeue, "#!/bin/sh\necho 'atelier-one|77|0|RUNNING|None|node1'\n");
  std::filesystem::permissions(squeue, std::filesystem::perms::owner_all);
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {ATELIER_PROGRAM, "status"});
    words.insert(words.end(), {"--json", "--store", study.file("store")});
    return parse_json(
        run_child({.words = words, .variables = {{"PATH", squeue.parent_path().string() + ":/usr/bin:/bin"}}}).out,
        "status");
  };
  CHECK_THAT(ask({"toy"}).at("slurm").at(0),
             Contains("slurm job 77: ") && Contains("1 of 2 tasks ended with results missing"));
  CHECK(ask({}).at(0).at("slurm") == ask({"toy"}).at("slurm"));
}
