// A bundle alone prints what its store prints, byte for byte; a byte that changed on the way is told.
#include "framework/store/bundle.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/queries.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace fs = std::filesystem;

namespace {

/// Holes, a failure, a divergent job, seeds, a comparison; another study's work lies beside it.
struct Rich : StudyInStore {
  Rich() {
    manifest()["yaml"] = "study: toy\n";
    for (const auto* subject : {"cat", "dog", "emu"}) {
      for (const int seed : {0, 1}) {
        publish_scores(score_job(run("ti", subject, seed, "ti")), 0.1 * seed);
        publish_scores(score_job(run("dco", subject, seed, "dco")), 0.1 + 0.05 * seed);
      }
    }
    const auto failing = run("dco", "fox", 0, "dco");
    const auto training = job(failing, {{"kind", "train"}});
    fail(training, "method", "the loss <diverged>");
    static_cast<void>(score_job(failing));
    const auto twice = job(run("ti", "fox", 0, "ti"), {{"kind", "train"}});
    publish(twice, "one");
    publish(twice, "another");
    StudyInStore::fail(std::string(64, 'f'), "method", "somebody else's secret");
  }

  static std::string every_form(Index& index, const std::string& study) {
    const auto table = make_table(index, current_manifest(index, study), {.compare_to = "ti"});
    return to_markdown(table) + to_csv(table) + to_tex(table, true) + to_html(table) + to_json(table).dump();
  }

  [[nodiscard]] fs::path bundle() const { return folder() / "bundle"; }
};

std::string tree_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = sha256_file(entry.path());
  }
  return Json(files).dump();
}

}  // namespace

TEST_CASE("a bundle prints the tables of its store, byte for byte", "[reports][bundle]") {
  const Rich study;
  const auto manifest = study.plan();
  auto index = study.index();
  const auto printed = Rich::every_form(index, "toy");
  CHECK_THAT(printed, Contains("the loss") && Contains("‡"));
  const auto written = write_bundle(study.store(), manifest, study.bundle(), false);
  CHECK(written.files > 20);
  check_bundle(study.bundle());
  const auto first = tree_of(study.bundle());
  CHECK(read_text_file(study.bundle() / "study.yaml") == "study: toy\n");
  Index elsewhere(Store::open(study.bundle()), study.folder() / "other.sqlite");
  CHECK(elsewhere.messages().empty());
  CHECK(Rich::every_form(elsewhere, "toy") == printed);
  elsewhere.rebuild();
  CHECK(Rich::every_form(elsewhere, "toy") == printed);
  write_bundle(study.store(), manifest, study.folder() / "again", false);
  CHECK(tree_of(study.folder() / "again") == first);
  std::string spools;
  for (const auto& entry : fs::directory_iterator(study.bundle() / "spool")) spools += read_text_file(entry.path());
  CHECK_THAT(spools, Contains("diverged") && !Contains("secret"));
}

TEST_CASE("any damaged file of a bundle is named", "[reports][bundle]") {
  const Rich study;
  write_bundle(study.store(), study.plan(), study.bundle(), false);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(study.bundle())) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  for (const auto& file : files) {
    const auto whole = read_text_file(file);
    auto changed = whole;
    changed[whole.size() / 2] ^= 1;
    write_file_atomically(file, changed);
    CHECK_THROWS_WITH(check_bundle(study.bundle()), Contains(file.filename().string()));
    fs::remove(file);
    if (file.filename() == "bundle.json") {
      CHECK_FALSE(is_bundle(study.bundle()));
    } else {
      CHECK_THROWS_WITH(check_bundle(study.bundle()), Contains(file.filename().string()) && Contains("no such file"));
    }
    write_file_atomically(file, whole);
  }
  check_bundle(study.bundle());
}

TEST_CASE("a bundle needs a free place and a whole store", "[reports][bundle]") {
  const Rich study;
  const auto manifest = study.plan();
  write_bundle(study.store(), manifest, study.bundle(), false);
  CHECK_THROWS_WITH(write_bundle(study.store(), manifest, study.bundle(), false), Contains("there already"));
  for (const auto& entry : fs::recursive_directory_iterator(study.store().root() / "objects")) {
    if (entry.is_regular_file()) fs::remove(entry.path());
  }
  CHECK_THROWS_WITH(write_bundle(study.store(), manifest, study.folder() / "half", false), Contains("no such file"));
  CHECK_FALSE(fs::exists(study.folder() / "half"));
}
