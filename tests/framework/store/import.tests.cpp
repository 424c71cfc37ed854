#include "framework/store/import.h"

#include <catch2/catch.hpp>

#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "tests/framework/store/damage.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

std::map<std::string, std::string> contents_of(const Store& store) {
  std::map<std::string, std::string> contents;
  for (const char* folder : {"objects", "keys", "manifests", "spool"}) {
    for (const auto& entry : fs::recursive_directory_iterator(store.root() / folder)) {
      if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.'))
        contents[entry.path().lexically_relative(store.root())] = read_text_file(entry.path());
    }
  }
  return contents;
}

}  // namespace

TEST_CASE("An empty store that imports another becomes its equal, and importing again brings nothing",
          "[store][import]") {
  HandMade made;
  made.make_all();
  made.publish_other_weights();
  const auto store = Store::create_or_open(made.folder_ / "laptop");
  const auto report = import_store(made.store, store);
  CHECK(report.keys == 3);
  CHECK(report.objects == 5);  // weights, losses, pictures, scores, the other weights
  CHECK(report.manifests == 1);
  CHECK(report.divergent == std::vector<std::string>{key_of(made.train)});  // as it was over there
  const auto after = import_store(made.store, store);
  CHECK(after.keys + after.objects + after.manifests + after.lines == 0);
  CHECK(after.divergent.empty());
  auto theirs = contents_of(made.store), ours = contents_of(store);
  std::erase_if(ours,
                [&](const auto& file) { return file.first.starts_with("spool") && !theirs.contains(file.first); });
  CHECK(ours == theirs);
  CHECK(verify(store).empty());
  Index index(store);
  CHECK(studies(index).at(0).jobs.done == 3);
}

TEST_CASE("A key that came out with other bytes here keeps both, and an event tells so", "[store][import]") {
  HandMade made;
  made.make_all();
  const auto store = Store::create_or_open(made.folder_ / "laptop");
  const auto own = store.put("our weights");
  (void)store.publish({key_of(made.train), made.train, own, Json::object(), {}});
  const auto report = import_store(made.store, store);
  CHECK(report.divergent == std::vector<std::string>{key_of(made.train)});
  const auto record = store.find(key_of(made.train));
  CHECK(record->object == own);
  CHECK(record->divergent == std::vector<std::string>{made.weights});
  Index index(store);
  const auto events =
      index.query("SELECT text FROM event WHERE type = 'divergence' AND text LIKE ?", {"%" + made.weights + "%"});
  CHECK(events.size() == 1);
  CHECK(import_store(made.store, store).divergent.empty());
}

TEST_CASE("What grew since the last import is brought by the next one", "[store][import]") {
  HandMade made;
  made.put_manifest();
  made.publish_train();
  made.write_first_spool();
  const auto store = Store::create_or_open(made.folder_ / "laptop");
  const auto first = import_store(made.store, store);
  CHECK(first.lines == 5);
  made.publish_sample();
  made.publish_score();
  made.write_second_spool();
  const auto second = import_store(made.store, store);
  CHECK(second.keys == 2);
  CHECK(second.lines == 3);
  CHECK(second.manifests == 0);
}

TEST_CASE("What is damaged over there is left out and told, and nothing wrong gets in", "[store][import]") {
  HandMade made;
  made.make_all();
  change_byte(made.store.object_path(made.pictures), 3);
  change_byte(made.key_file(made.score), 40);
  const auto store = Store::create_or_open(made.folder_ / "laptop");
  const auto report = import_store(made.store, store);
  CHECK(report.damages.size() == 2);
  CHECK(report.keys == 1);
  CHECK_FALSE(store.has_object(made.pictures));
  CHECK(verify(store).empty());
  CHECK_THROWS_WITH(import_store(made.store, made.store), Catch::Contains("the store itself"));
}
