#include "framework/formats/model_locator.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "framework/core/error.h"
#include "framework/formats/hub_cache.h"
#include "framework/formats/models_file.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const std::string kCommit(40, 'a');
const std::string kOther(40, 'b');

/// Sets an environment variable (or removes it) and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { had_ ? ::setenv(name_, old_.c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

class World : public TemporaryFolder {
 public:
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path() / name).parent_path());
    std::ofstream(path() / name) << text;
  }
  void cache(const std::string& folder, const std::string& commit, const std::string& reference = "main") const {
    write("hub/models--" + folder + "/snapshots/" + commit + "/model_index.json", "{}");
    if (!reference.empty()) write("hub/models--" + folder + "/refs/" + reference, commit);
  }
  [[nodiscard]] ModelSearch search() const { return {path() / "models.yaml", path() / "hub"}; }
  [[nodiscard]] ModelLocation locate(const std::string& base) const { return locate_model(base, search()); }
};

}  // namespace

TEST_CASE("a path that exists wins over every name", "[formats][model_locator]") {
  const World world;
  world.write("sd15/model_index.json", "{}");
  CHECK(world.locate((world / "sd15").string()).path == world / "sd15");
  CHECK(world.locate((world / "sd15").string()).provenance == "path");
  const Variable home("HOME", world.path().c_str());
  CHECK(world.locate("~/sd15").path == world / "sd15");
}

TEST_CASE("models.yaml gives names to paths, with relative paths beside the file", "[formats][model_locator]") {
  const World world;
  world.write("here/model_index.json", "{}");
  world.write("models.yaml",
              "mine: here\nfile:\n  path: here\n  variant: fp16\n  allow_pickle: true\n  use_ema: false\n"
              "  model_config: here\n  prediction_type: v_prediction\n");
  CHECK(world.locate("mine").path == world / "here");
  CHECK_THAT(world.locate("mine").provenance, Catch::Contains("models.yaml"));
  const auto file = world.locate("file");
  CHECK(file.variant == "fp16");
  CHECK(file.allow_pickle);
  CHECK_FALSE(file.use_ema);
  CHECK(file.model_config == world / "here");
  CHECK(file.prediction_type == "v_prediction");
}

TEST_CASE("models.yaml is strict: every fault with line and column", "[formats][model_locator]") {
  const World world;
  const auto fails = [&](const std::string& text, const std::string& expected) {
    world.write("models.yaml", text);
    INFO(text);
    CHECK_THROWS_WITH(read_models_file(world / "models.yaml"),
                      Catch::Contains("models.yaml:") && Catch::Contains(expected));
  };
  fails("a: {path: x, variannt: fp16}\n", "models.yaml:1:14: unknown key \"variannt\"");
  fails("a: {path: x, variannt: fp16}\n", "did you mean variant?");
  fails("a: x\na: y\n", ":2:1: the name \"a\" twice");
  fails("a: {path: x, path: y}\n", "the key \"path\" twice");
  fails("a: {variant: fp16}\n", ":1:4: neither path nor repo");
  fails("a: {path: x, repo: a/b}\n", "both path and repo");
  fails("a: {path: x, allow_pickle: yes}\n", "true or false");
  fails("a: [x]\n", "neither a path nor a mapping");
  fails("a:\n", "neither a path nor a mapping");
  fails("- a\n", "no mapping");
  fails("a: {path: [x]}\n", "a path");
  fails("a: {path: x\n", "a YAML mapping");
  world.write("models.yaml", "");
  CHECK(read_models_file(world / "models.yaml").empty());
  CHECK(read_models_file(world / "nowhere.yaml").empty());
}

TEST_CASE("repositories come from the cache by reference", "[formats][model_locator]") {
  const World world;
  world.cache("org--name", kCommit);
  world.cache("org--name", kOther, "refs/pr/3");
  CHECK(world.locate("org/name").path.filename() == kCommit);
  CHECK(world.locate("org/name@refs/pr/3").path.filename() == kOther);
  CHECK(world.locate("org/name@" + kOther).path.filename() == kOther);
  CHECK_THAT(world.locate("org/name").provenance, Catch::Contains("org/name at main (commit " + kCommit));
  world.write("hub/models--org--name/refs/main", kCommit + "\n");
  CHECK(world.locate("org/name").path.filename() == kCommit);
  world.write("models.yaml", "mine: {repo: org/name, revision: refs/pr/3}\ngone: {repo: org/gone}\n");
  CHECK(world.locate("mine").path.filename() == kOther);
  CHECK_THROWS_WITH(world.locate("gone"), Catch::Contains("org/gone is not in the Hugging Face cache"));
}

TEST_CASE("a missing reference is an error that offers the only snapshot", "[formats][model_locator]") {
  const World world;
  world.cache("org--name", kCommit, "");
  CHECK_THROWS_WITH(world.locate("org/name"), Catch::Contains("to use it say org/name@" + kCommit));
  world.cache("org--name", kOther, "");
  CHECK_THROWS_WITH(world.locate("org/name"), Catch::Contains("the snapshots " + kCommit));
  world.write("hub/models--org--name/refs/main", "../../../etc");
  CHECK_THROWS_WITH(world.locate("org/name"), Catch::Contains("40 hexadecimal digits"));
  world.write("hub/models--org--name/refs/main", std::string(40, 'c'));
  CHECK_THROWS_WITH(world.locate("org/name"), Catch::Contains("no snapshot for revision \"main\""));
}

TEST_CASE("built-in names lead to the published repositories, also under their later names",
          "[formats][model_locator]") {
  const World world;
  CHECK_THROWS_WITH(world.locate("sd15"),
                    Catch::Contains("base \"sd15\"") && Catch::Contains("runwayml/stable-diffusion-v1-5"));
  world.cache("runwayml--stable-diffusion-v1-5", kCommit);
  CHECK(world.locate("sd15").path.filename() == kCommit);
  world.cache("stable-diffusion-v1-5--stable-diffusion-v1-5", kOther);
  CHECK(world.locate("sd15").path.filename() == kOther);
  CHECK(world.locate("runwayml/stable-diffusion-v1-5").path.filename() == kCommit);  // the named one first
  world.cache("sd2-community--stable-diffusion-2-1-base", kCommit);
  CHECK(world.locate("sd21-base").path.filename() == kCommit);
  CHECK(world.locate("stabilityai/stable-diffusion-2-1-base").path.filename() == kCommit);
  world.cache("stabilityai--stable-diffusion-xl-base-1.0", kCommit);
  CHECK(world.locate("sdxl").path.filename() == kCommit);
  world.write("models.yaml", "sdxl: hub\n");
  CHECK(world.locate("sdxl").path == world / "hub");
}

TEST_CASE("nothing that could leave the cache is a repository", "[formats][hub_cache]") {
  for (const auto* good : {"org/name", "name", "a.b/c-d_e.1"}) CHECK(is_repo_id(good));
  for (const auto* bad :
       {"", "/", "/etc", "a/b/c", "../x", "a/..", "a..b/c", "a b/c", "a/", ".a/b", "a--b/c", "a/b\n"}) {
    INFO(bad);
    CHECK_FALSE(is_repo_id(bad));
  }
  const World world;
  world.cache("org--name", kCommit);
  for (const auto* bad : {"..", "../../x", "/etc/passwd", "a/../b", ""}) {
    INFO(bad);
    CHECK_THROWS_WITH(find_snapshot(world / "hub", "org/name", bad), Catch::Contains("not a model's name"));
  }
  CHECK_THROWS_WITH(world.locate("sd16"), Catch::Contains("did you mean sd15?"));
  CHECK_THROWS_WITH(world.locate("/no/such/path"), Catch::Contains("no such path"));
  CHECK_THROWS_WITH(world.locate(""), Catch::Contains("nothing"));
}

TEST_CASE("the cache is where the environment says", "[formats][hub_cache]") {
  const Variable a("HF_HUB_CACHE", nullptr), b("HUGGINGFACE_HUB_CACHE", nullptr), c("HF_HOME", nullptr);
  const Variable d("XDG_CACHE_HOME", nullptr), home("HOME", "/home/u");
  CHECK(hub_cache_root() == "/home/u/.cache/huggingface/hub");
  const Variable e("XDG_CACHE_HOME", "/xdg");
  CHECK(hub_cache_root() == "/xdg/huggingface/hub");
  const Variable f("HF_HOME", "~/hf");
  CHECK(hub_cache_root() == "/home/u/hf/hub");
  const Variable g("HUGGINGFACE_HUB_CACHE", "$HOME/old");
  CHECK(hub_cache_root() == "/home/u/old");
  const Variable h("HF_HUB_CACHE", "${HOME}/new");
  CHECK(hub_cache_root() == "/home/u/new");
}

TEST_CASE("paths expand home and variables, and leave the rest", "[formats][hub_cache]") {
  const Variable home("HOME", "/home/u"), x("ATELIER_TEST_X", "v");
  const Variable none("ATELIER_TEST_NONE", nullptr);
  CHECK(expand_path("~") == "/home/u");
  CHECK(expand_path("~/a~b") == "/home/u/a~b");
  CHECK(expand_path("~user/a") == "~user/a");
  CHECK(expand_path("a/$ATELIER_TEST_X/${ATELIER_TEST_X}b") == "a/v/vb");
  CHECK(expand_path("$ATELIER_TEST_NONE/$/${}/${ATELIER_TEST_X") == "$ATELIER_TEST_NONE/$/${}/${ATELIER_TEST_X");
}

TEST_CASE("the list for doctor names what is there and what is wrong with it", "[formats][model_locator]") {
  const World world;
  world.write("here/model_index.json", "{}");
  world.write("models.yaml", "gone: /no/such\nmine: here\n");
  world.cache("org--name", kCommit);
  world.cache("runwayml--stable-diffusion-v1-5", kCommit);
  world.cache("org--broken", kCommit, "");
  world.write("hub/models--org--other/snapshots/" + kCommit + "/config.json", "{}");
  world.write("hub/models--org--other/refs/main", kCommit);
  const auto models = list_models(world.search());
  std::vector<std::string> names;
  for (const auto& model : models) names.push_back(model.name + (model.problem.empty() ? "" : "!"));
  CHECK(names ==
        std::vector<std::string>{"gone!", "mine", "sd15", "org/broken!", "org/name", "runwayml/stable-diffusion-v1-5"});
}
