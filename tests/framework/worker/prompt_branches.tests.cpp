#include "framework/worker/prompt_branches.h"

#include <ATen/ops/equal.h>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/text_attention.h"
#include "framework/tensor/random.h"
#include "framework/worker/method_of_job.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

std::shared_ptr<const Base> tiny_base(const std::string& family) {
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/" + family));
  return std::make_shared<const Base>(checkpoint, Placement{});
}

/// A method with branches of its own.
class Guiding final : public Method {
 public:
  explicit Guiding(std::vector<PromptBranch> branches) : branches_(std::move(branches)) {}
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view, const Options&, const Concept&,
                                             const PromptLists&) const override {
    return nullptr;
  }
  void apply(Session&, const TrainedArtifact&, double) const override {}
  [[nodiscard]] std::vector<PromptBranch> branches(const GuidanceRequest&) const override { return branches_; }

 private:
  std::vector<PromptBranch> branches_;
};

void edit_attention(Session& session) {
  auto generator = make_generator(3);
  const auto width = session.token_vector("a", 0).size(0);
  TextAttentionEdit edit;
  edit.extra_keys = randn({1, width}, generator);
  edit.extra_values = randn({1, width}, generator);
  session.edit_text_attention(0, 1, edit);
}

}  // namespace

TEST_CASE("a method's own branches are what is encoded, without those of no weight", "[worker][branches]") {
  Session session(tiny_base("sd15"));
  const Guiding method({{.name = "a", .text = "a cat", .adapter_scale = 0.5, .weight = 2.0},
                        {.name = "none", .text = "a dog", .weight = 0.0},
                        {.name = "b", .text = "a boat", .weight = -1.0}});
  const auto branches = worker::guided_branches(session, method, {});
  REQUIRE(branches.size() == 2);
  CHECK(branches[0].name == "a");
  CHECK(branches[0].weight == 2.0);
  CHECK(branches[0].adapter_scale == 0.5);
  CHECK(branches[1].weight == -1.0);
  CHECK(at::equal(branches[1].text.context, session.encode({"a boat"}).context));
}

TEST_CASE("weights that leave nothing are an error", "[worker][branches]") {
  Session session(tiny_base("sd15"));
  CHECK_THROWS_AS(worker::guided_branches(session, Guiding({{.name = "a", .text = "a cat", .weight = 0.0}}), {}),
                  Error);
}

TEST_CASE("a branch without edits is the plain encoder's, bit for bit", "[worker][branches]") {
  const auto base = tiny_base("sd15");
  Session plain(base), edited(base);
  CHECK_FALSE(edited.has_text_edits());
  edit_attention(edited);
  CHECK(edited.has_text_edits());
  const Guiding method({{.name = "uncond", .text = std::nullopt, .edits = false, .weight = -4.0},
                        {.name = "cond", .text = "a cat", .weight = 5.0}});
  const auto branches = worker::guided_branches(edited, method, {});
  CHECK(at::equal(branches[0].text.context, plain.encode({""}).context));
  CHECK_FALSE(at::equal(branches[1].text.context, plain.encode({"a cat"}).context));
  CHECK(at::equal(branches[1].text.context, edited.encode({"a cat"}).context));
  edited.clear_text_edits();
  CHECK_FALSE(edited.has_text_edits());
}

TEST_CASE("no negative prompt is zeros where SDXL's model says so; an empty one is encoded", "[worker][branches]") {
  Session session(tiny_base("sdxl"));
  const auto bare = worker::bare_model();
  const auto none = worker::guided_branches(session, *bare, {.prompt = "a cat"});
  const auto empty = worker::guided_branches(session, *bare, {.prompt = "a cat", .negative = ""});
  CHECK(none[0].text.context.abs().max().item<float>() == 0.0f);
  CHECK(none[0].text.pooled.abs().max().item<float>() == 0.0f);
  CHECK(at::equal(empty[0].text.context, session.encode({""}).context));
}
