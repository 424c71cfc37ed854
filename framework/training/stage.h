#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/training/draws.h"
#include "framework/training/recipe.h"

namespace atelier {

class Session;

/// One picture of the concept (or of its class), as a stage may describe it.
struct Photo {
  std::string path;
  std::string caption;       ///< its own caption; "" where it has none
  std::string base_caption;  ///< the same without the concept (DCO)
  bool of_class = false;     ///< an image of the class, for prior preservation
  double scale = 1.0;        ///< its side in this picture over the picture's, where the recipe scales photos
  std::span<const std::byte> bytes = {};  ///< the picture's file where it is in memory; `path` then only names it
};

/// What is being learned.
struct Concept {
  std::string name;
  std::string class_word;   ///< "cat"
  std::string initializer;  ///< a word whose row a token starts from; "": the class word
  std::string kind;         ///< object, live or style
};

/// The texts of one row of a batch, chosen on the host.
struct Sample {
  std::string caption;
  std::map<std::string, std::string> texts;  ///< further prompts: "class", "edit", "base"
};

/// Prompt lists by id, from the data of the product.
using PromptLists = std::map<std::string, std::vector<std::string>>;

/// A tensor that learns (or counts in the clip norm), under the name that artifacts and probes use.
struct Parameter {
  std::string name;  ///< "text_encoder.token.<krk1>", "unet.….attn2.to_k.lora_A.weight"
  Tensor tensor;     ///< a leaf that requires a gradient
};

struct ParamGroup {
  enum class Role {
    trained,
    norm_only,    ///< its gradient counts in the clip norm, it is never stepped (DCO's old rows)
    accumulated,  ///< its gradients pile up and are never used here (TextReg's carry_ti_grads)
  };
  std::string name;
  std::vector<Parameter> parameters;
  double learning_rate = 0.0;
  double weight_decay = 1e-2;
  bool clip = true;  ///< counts in the clip norm and is scaled by it
  Role role = Role::trained;
};

/// Where parameters start: from earlier stages' artifacts, from what a probe gives, else from the method's own value.
class Start {
 public:
  Start() = default;
  /// Values come to rest on `device`, the base's.
  explicit Start(TensorMap tensors, c10::Device device = c10::kCPU) : tensors_(std::move(tensors)), device_(device) {}

  /// The tensor `name` as a fresh float32 copy (float64 stays) or, where there is none, what `make` returns. Throws
  /// Error when the shapes differ. Does not require a gradient.
  [[nodiscard]] Tensor value(const std::string& name, const std::function<Tensor()>& make) const;
  /// Undefined where there is none: gradients handed on ("carry.<parameter>"), or whatever a stage published.
  [[nodiscard]] Tensor find(const std::string& name) const;
  [[nodiscard]] const TensorMap& tensors() const { return tensors_; }

 private:
  TensorMap tensors_;
  c10::Device device_ = c10::kCPU;
};

/// One piece of a batch on the device. Rows 0 … instance_rows - 1 show the concept, the others its class.
struct Batch {
  Tensor latents;        ///< [B, 4, h, w] scaled
  Tensor noise;          ///< [B, 4, h, w]
  Tensor timesteps;      ///< [B] int64
  Tensor noisy_latents;  ///< [B, 4, h, w] in the UNet's type
  Tensor target;         ///< [B, 4, h, w] float32 (float64): what the network should return
  Tensor mask;           ///< [B, 1, h, w], 1 where the loss counts; undefined where the recipe scales no photos
  Tensor time_ids;       ///< SDXL: [B, 6] float32
  std::int64_t instance_rows = 0;

  [[nodiscard]] std::int64_t size() const { return latents.size(0); }
};

/// What a stage prepared on the host for one optimizer step. `rows` have one row for each row of the batch and are cut
/// with it; `shared` are the same for every piece. The framework moves both to the device.
struct StepTensors {
  TensorMap rows;
  TensorMap shared;
};

/// One term of the loss over the rows it concerns: all of the piece, its instance rows or its class rows. The framework
/// reduces it over the whole effective batch, however that was split.
struct Term {
  enum class Reduce { mean, sum };
  enum class Rows { all, instance, of_class };
  Tensor per_sample;    ///< [rows] float32 (float64), in the graph
  double weight = 1.0;  ///< 0: a diagnostic
  Reduce reduce = Reduce::mean;
  Rows rows = Rows::all;
};
using Terms = std::map<std::string, Term>;

/// Terms after reduction over the effective batch: scalars, in the graph.
using Reduced = std::map<std::string, Tensor>;

/// What a stage can know after an optimizer step.
struct StepInfo {
  std::int64_t step = 0;               ///< that was just made, from 0
  std::vector<double> learning_rates;  ///< of each group, as the next step will use them (after the schedule's step)
};

/// Takes what a stage publishes.
class ArtifactWriter {
 public:
  virtual ~ArtifactWriter() = default;
  /// A tensor of the artifact: everything that Method::apply needs.
  virtual void tensor(const std::string& name, const Tensor& value) = 0;
  /// A tensor for later stages only.
  virtual void aux(const std::string& name, const Tensor& value) = 0;
  virtual void note(const std::string& key, const std::string& value) = 0;
};

/// One training stage of one method. The framework owns loop, data, randomness, optimizer and files; a stage says what
/// learns, what a sample says, and what the loss is.
class Stage {
 public:
  Stage() = default;
  virtual ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] virtual DataSpec data() const = 0;
  [[nodiscard]] virtual TrainSpec train() const = 0;

  /// Adds tokens, adapters and edits to the session, and returns what learns. `draws` is for initial values (place:
  /// step -1). The session outlives the stage.
  [[nodiscard]] virtual std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) = 0;
  /// Host: the texts of one row. Calls may run ahead of the steps.
  virtual void describe(const Photo& photo, Sample& sample, Draws& draws) = 0;
  /// Host: tensors for one whole batch (token ids, masks, cached contexts). `draws` are the batch's (slot -1).
  [[nodiscard]] virtual StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) {
    (void)samples, (void)draws;
    return {};
  }
  /// Device: the terms of one piece. No decision on the host, no files, no randomness.
  [[nodiscard]] virtual Terms forward(const Batch& batch, const StepTensors& tensors) = 0;
  /// False when combine() is not the weighted sum of the terms: a split batch then needs a pass without gradient first.
  [[nodiscard]] virtual bool linear() const { return true; }
  /// The loss, from reduced terms. A stage that is not linear may add terms to `reduced` for the records.
  [[nodiscard]] virtual Tensor combine(Reduced& reduced, const std::map<std::string, double>& weights) const;
  /// Without gradient, after the learning-rate schedule's step.
  virtual void after_step(const StepInfo& info) { (void)info; }
  /// The trained state. May be called at any checkpoint; also before the first step.
  virtual void save(ArtifactWriter& writer) const = 0;
};

}  // namespace atelier
