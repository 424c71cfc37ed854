#include <array>

#include "framework/config/method_spec.h"

namespace atelier {
namespace {

constexpr std::array kNames = {"learning_rate",     "adam_beta1",       "adam_beta2",
                               "adam_weight_decay", "adam_epsilon",     "max_grad_norm",
                               "scale_lr",          "train_batch_size", "gradient_accumulation_steps",
                               "micro_batch_size",  "lr_scheduler",     "lr_warmup_steps",
                               "lr_num_cycles",     "lr_power"};

/// Makes the options of one stage; `add` fills what all have in common.
class StageOptions {
 public:
  StageOptions(const std::string& stage, const StageDefaults& defaults) : prefix_(stage + "."), defaults_(defaults) {}

  std::vector<OptionSpec> make() {
    add_optimizer();
    add_batch();
    add_schedule();
    return std::move(options_);
  }

 private:
  void add_optimizer() {
    real("learning_rate", defaults_.learning_rate, "AdamW's learning rate", 0.0);
    // A decay of exactly 1 would divide by zero in the bias correction.
    real("adam_beta1", 0.9, "decay of AdamW's first moment", 0.0, 0.99999999);
    real("adam_beta2", 0.999, "decay of AdamW's second moment", 0.0, 0.99999999);
    real("adam_weight_decay", defaults_.adam_weight_decay, "decoupled weight decay", 0.0);
    real("adam_epsilon", 1e-8, "added to the root of the second moment", 0.0);
    real("max_grad_norm", defaults_.max_grad_norm, "limit of the gradient's L2 norm over all parameters; 0: none", 0.0);
    add("scale_lr", OptionType::boolean, defaults_.scale_lr,
        "multiply the learning rate by batch size and accumulation steps");
  }

  void add_batch() {
    integer("train_batch_size", defaults_.train_batch_size, "rows of one batch", 1.0);
    integer("gradient_accumulation_steps", defaults_.gradient_accumulation_steps,
            "batches whose gradients one optimizer step sums", 1.0);
    integer("micro_batch_size", 0, "rows computed at once, with the same loss and gradient; 0: the whole batch", 0.0);
  }

  void add_schedule() {
    auto& scheduler =
        add("lr_scheduler", OptionType::choice, "constant", "how the learning rate changes over the steps");
    scheduler.choices = {"linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"};
    const auto name = prefix_ + "lr_scheduler";
    integer("lr_warmup_steps", 0, "steps over which the learning rate rises from 0", 0.0).active_when = {
        {.option = name, .value = "constant", .negated = true}};
    integer("lr_num_cycles", 1, "hard restarts of cosine_with_restarts", 1.0).active_when = {
        {.option = name, .value = "cosine_with_restarts"}};
    real("lr_power", 1.0, "exponent of the polynomial decay", 0.0).active_when = {
        {.option = name, .value = "polynomial"}};
  }

  OptionSpec& add(const char* name, OptionType type, Json value, const char* help) {
    OptionSpec option;
    option.name = prefix_ + name;
    option.type = type;
    option.value = std::move(value);
    option.help = help;
    option.source = defaults_.source;
    return options_.emplace_back(std::move(option));
  }

  OptionSpec& integer(const char* name, std::int64_t value, const char* help, double low) {
    auto& option = add(name, OptionType::integer, value, help);
    option.low = low;
    return option;
  }

  OptionSpec& real(const char* name, double value, const char* help, double low,
                   std::optional<double> high = std::nullopt) {
    auto& option = add(name, OptionType::real, value, help);
    option.low = low;
    option.high = high;
    return option;
  }

  std::string prefix_;
  const StageDefaults& defaults_;
  std::vector<OptionSpec> options_;
};

}  // namespace

std::vector<OptionSpec> stage_options(const std::string& stage, const StageDefaults& defaults) {
  return StageOptions(stage, defaults).make();
}

std::vector<std::string> stage_option_names(const std::string& stage) {
  std::vector<std::string> names;
  for (const auto* name : kNames) names.push_back(stage + "." + name);
  return names;
}

}  // namespace atelier
