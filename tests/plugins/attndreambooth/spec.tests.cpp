#include "plugins/attndreambooth/spec.h"

#include <set>

#include "framework/core/error.h"
#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;

namespace {

// The arguments of the published programs, in the order of their specification's tables: training, then sampling.
constexpr const char* kTraining[] = {"--pretrained_model_name_or_path",
                                     "--revision",
                                     "--tokenizer_name",
                                     "--instance_data_dir",
                                     "--class_data_dir",
                                     "--instance_prompt",
                                     "--class_prompt",
                                     "--with_prior_preservation",
                                     "--prior_loss_weight",
                                     "--num_class_images",
                                     "--output_dir",
                                     "--seed",
                                     "--resolution",
                                     "--center_crop",
                                     "--train_batch_size",
                                     "--sample_batch_size",
                                     "--num_train_epochs",
                                     "--max_train_steps",
                                     "--checkpointing_steps",
                                     "--checkpoints_total_limit",
                                     "--resume_from_checkpoint",
                                     "--gradient_accumulation_steps",
                                     "--gradient_checkpointing",
                                     "--learning_rate",
                                     "--scale_lr",
                                     "--lr_scheduler",
                                     "--lr_warmup_steps",
                                     "--lr_num_cycles",
                                     "--lr_power",
                                     "--use_8bit_adam",
                                     "--dataloader_num_workers",
                                     "--adam_beta1",
                                     "--adam_beta2",
                                     "--adam_weight_decay",
                                     "--adam_epsilon",
                                     "--max_grad_norm",
                                     "--push_to_hub",
                                     "--hub_token",
                                     "--hub_model_id",
                                     "--logging_dir",
                                     "--allow_tf32",
                                     "--report_to",
                                     "--validation_prompt",
                                     "--num_validation_images",
                                     "--validation_steps",
                                     "--mixed_precision",
                                     "--prior_generation_precision",
                                     "--local_rank",
                                     "--enable_xformers_memory_efficient_attention",
                                     "--set_grads_to_none",
                                     "--offset_noise",
                                     "--tokenizer_max_length",
                                     "--text_encoder_use_attention_mask",
                                     "--skip_save_text_encoder",
                                     "--validation_images",
                                     "--class_labels_conditioning",
                                     "--validation_scheduler",
                                     "--embedding_path",
                                     "--train_ti",
                                     "--train_unet",
                                     "--object_token",
                                     "--n_object_embedding",
                                     "--initialize_token",
                                     "--save_step",
                                     "--train_cross_attn",
                                     "--with_cross_attn_reg",
                                     "--reg_mean_weight",
                                     "--reg_var_weight",
                                     "--only_save_checkpoint",
                                     "--load_from_checkpoint",
                                     "--flip_p"};
constexpr const char* kSampling[] = {"--pretrained_model_name_or_path",
                                     "--prompt",
                                     "--prompt_file",
                                     "--learned_embedding_path",
                                     "--checkpoint_path",
                                     "--category_token",
                                     "--num_inference_steps",
                                     "--num_images_per_prompt",
                                     "--infer_batch_size",
                                     "--seed",
                                     "--infer_scheduler",
                                     "--save_dir",
                                     "--device"};

}  // namespace

TEST_CASE("attndreambooth: the description is consistent and survives its JSON form", "[attndreambooth][spec]") {
  const auto spec = attndreambooth::make_spec();
  CHECK_NOTHROW(check_spec(spec));
  CHECK(to_json(method_spec_from_json(to_json(spec), "test")) == to_json(spec));
}

TEST_CASE("attndreambooth: every published argument is an option, the framework's, refused or without effect",
          "[attndreambooth][spec]") {
  STATIC_REQUIRE(std::size(kTraining) == 71);
  STATIC_REQUIRE(std::size(kSampling) == 13);
  const auto spec = attndreambooth::make_spec();
  std::set<std::string> expected(std::begin(kTraining), std::end(kTraining)), found;
  expected.insert(std::begin(kSampling), std::end(kSampling));
  for (const auto& argument : spec.arguments) {
    INFO(argument.name);
    CHECK(found.insert(argument.name).second);
    if (argument.status == ArgumentSpec::Status::option) CHECK(find_option(spec, argument.text) != nullptr);
  }
  CHECK(found == expected);
}

TEST_CASE("attndreambooth: the presets are the published command and its faster last stage", "[attndreambooth][spec]") {
  struct Row {
    const char* stage;
    double rate;
    std::int64_t steps;
    double mean, var;
  };
  const Json values = resolved();
  for (const Row& row : {Row{"embedding", 1e-3, 60, 0.1, 0.0}, Row{"attention", 2e-5, 100, 2.0, 5.0},
                         Row{"identity", 2e-6, 500, 2.0, 5.0}}) {
    const auto named = [&](const char* leaf) { return std::string(row.stage) + "." + leaf; };
    CHECK(values[named("learning_rate")] == row.rate);
    CHECK(values[named("max_train_steps")] == row.steps);
    CHECK(values[named("reg_mean_weight")] == row.mean);
    CHECK(values[named("reg_var_weight")] == row.var);
    CHECK(values[named("train_batch_size")] == 8);
    CHECK(values[named("gradient_accumulation_steps")] == 1);
    CHECK(values[named("max_grad_norm")] == 0.0);
    CHECK(values[named("lr_scheduler")] == "constant");
    CHECK(values[named("scale_lr")] == false);
    CHECK(values[named("adam_weight_decay")] == 1e-2);
    CHECK(values[named("adam_epsilon")] == 1e-8);
  }
  CHECK(values["flip_p"] == 0.25);
  CHECK(values["rotate_p"] == 0.75);
  CHECK(values["with_prior_preservation"] == false);
  CHECK(values["n_object_embedding"] == 1);
  Json fast = resolved(Json::object(), "fast");
  CHECK(fast["identity.learning_rate"] == 1e-5);
  CHECK(fast["identity.max_train_steps"] == 200);
  CHECK(fast["identity.train_batch_size"] == 4);
  fast.update({{"identity.learning_rate", 2e-6}, {"identity.max_train_steps", 500}, {"identity.train_batch_size", 8}});
  CHECK(fast == values);
}

TEST_CASE("attndreambooth: the first release had batches of 4; the official program divides accumulated regularisers",
          "[attndreambooth][spec]") {
  const Json first = resolved(Json::object(), "prerelease"), official = resolved(Json::object(), "official");
  for (const char* stage : {"embedding", "attention", "identity"}) {
    const auto rows = std::string(stage) + ".train_batch_size";
    CHECK(first.at(rows) == 4);
    CHECK(official.at(rows) == 8);
  }
  CHECK(first.at("reg_accumulation") == "logical");
  CHECK(official.at("reg_accumulation") == "divided");
}

TEST_CASE("attndreambooth: each stage reads its own options and starts from the one before", "[attndreambooth][spec]") {
  const auto spec = attndreambooth::make_spec();
  REQUIRE(spec.stages.size() == 3);
  CHECK(spec.stages[0].inputs.empty());
  CHECK(spec.stages[1].inputs == std::vector<std::string>{"embedding"});
  CHECK(spec.stages[2].inputs == std::vector<std::string>{"attention"});
  for (const auto& stage : spec.stages) {
    for (const auto& name : stage_reads(stage, resolved())) {
      const auto dot = name.find('.');
      if (dot != std::string::npos) CHECK(name.substr(0, dot) == stage.name);
    }
  }
}

TEST_CASE("attndreambooth: accumulated batches count as one large one, or divide the regulariser where asked",
          "[attndreambooth][spec]") {
  const Json four{{"attention.gradient_accumulation_steps", 4}};
  const auto logical = settings_for("attention", four);
  CHECK(logical.regularizer.mean == 8.0);
  CHECK(logical.regularizer.var == 20.0);
  CHECK(logical.train.loss_divisor == 4.0);
  Json divided = four;
  divided["reg_accumulation"] = "divided";
  CHECK(settings_for("attention", divided).regularizer.mean == 2.0);
  CHECK_FALSE(settings_for("attention", {{"with_cross_attn_reg", false}}).regularizer.any());
  CHECK(settings_for("embedding", {{"embedding.scale_lr", true}, {"embedding.gradient_accumulation_steps", 2}})
            .learning_rate == Approx(1.6e-2).epsilon(1e-12));
  CHECK(settings_for("identity", {{"offset_noise", true}}).train.offset_noise == 0.1);
}

TEST_CASE("attndreambooth: options that have no effect are refused", "[attndreambooth][spec]") {
  CHECK_THROWS_AS(resolved({{"prior_loss_weight", 2.0}}), Error);
  CHECK_THROWS_AS(resolved({{"class_prompt", "a {}"}}), Error);
  CHECK_THROWS_AS(resolved({{"with_cross_attn_reg", false}, {"identity.reg_mean_weight", 1.0}}), Error);
  CHECK_THROWS_AS(resolved({{"rotate_p", 1.5}}), Error);
}
