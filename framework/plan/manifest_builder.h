#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "framework/plan/concept.h"
#include "framework/plan/keys.h"
#include "framework/plan/manifest.h"
#include "framework/plan/shared_parts.h"

namespace atelier {

/// A concept of the study, read.
struct PlannedConcept {
  ConceptFolder folder;
  std::vector<ConceptPhoto> photos;
};

/// The images of the class that a training stage needs.
struct PlannedClassImages {
  Json ingredient;                  ///< what enters the stage's key; null: it needs none
  Json photos = Json::array();      ///< given ones, with paths
  Json sets = Json::array();        ///< keys of generated ones
  std::vector<std::int64_t> needs;  ///< the job that makes those
};

/// Pictures that another program made of a concept (`images:` of a study).
struct GivenPictures {
  const StudyMethod* method = nullptr;
  std::string subject;
  std::optional<std::int64_t> seed;  ///< where the path names it
};

/// What a run's pictures are made from.
struct PlannedModel {
  std::string label, method;  ///< "anchor:…" has no plugin
  const PluginDescription* plugin = nullptr;
  const PlannedBase* base = nullptr;  ///< null: another program's pictures
  SharedJson options;
  Json subject;                    ///< name, class_word, initializer, kind
  Json artifact;                   ///< train or merge key, null for the base model
  Json artifacts = Json::array();  ///< the keys of all that leads to it, the last one its own
  Json numerics;                   ///< of the stage that made it
  std::int64_t train_job = -1;     ///< the job that made it
  std::string phrase, base_phrase;
  Json sampler;                    ///< null: the protocol's
  std::optional<double> guidance;  ///< instead of the protocol's sampler's
  std::optional<GivenPictures> given;
};

/// The pictures that a scoring job looks at: what makes them, and where each prompt's are.
struct PlannedPictures {
  std::int64_t job = -1;
  Json sets = Json::array();           ///< for the job: prompt_id, text, role, key
  Json described = Json::array();      ///< for its key
  std::set<std::string> changed = {};  ///< prompts that change how the concept looks
};

struct PromptPlace;

/// A training stage on a concept: what is the same for every cell that has it.
struct PlannedStage {
  const SharedPart* description = nullptr;
  const SharedPart* content = nullptr;
};

/// The pictures that an evaluation wants of a model: what is the same for all artifacts that are sampled alike.
struct PlannedSampling {
  struct Prompt {
    Json output;                              ///< all but key and description
    const SharedPart* description = nullptr;  ///< all but the artifact
    Json set, described;                      ///< all but the key
  };
  std::string identity;                 ///< of the job, without the artifact
  const SharedPart* content = nullptr;  ///< sampler, size, batch, negative
  std::vector<Prompt> prompts;
};

/// An evaluation: what is the same for all runs.
struct PlannedEvaluation {
  Json settings, encoders, encoder_digests;
  Json masks;  ///< for the record; null: it scores whole pictures
  bool used = false;
};

/// What a scoring job of foregrounds needs besides pictures.
struct PlannedMasks {
  std::vector<std::int64_t> needs;  ///< jobs
  Json photos;                      ///< key of the masks of the references
  Json record;                      ///< for the manifest: segmenter, text, photos
};

/// One way in which a cell's pictures are sampled.
struct PlannedSampler {
  Json sampler;               ///< scheduler, steps, guidance, reward (where there is one), settings
  Json row = Json::object();  ///< what tells it from the cell's others: guidance, reward_guidance
};

/// Optimizer steps of all stages that the cell runs.
[[nodiscard]] std::int64_t total_steps(const MethodSpec& spec, const Cell& cell);

/// Builds a manifest run by run. Jobs that several runs share are made once.
class ManifestBuilder {
 public:
  ManifestBuilder(const Study& study, const PlanSources& sources);
  [[nodiscard]] Json build();

 private:
  void read_concepts();
  void add_cell(const Cell& cell);
  void add_given(const Cell& cell);
  /// The runs of a merged method's cell: trains both parts as their own cells do, and merges what comes of them.
  void add_merge(const Cell& cell);
  /// One run for each way in which the cell's pictures are sampled.
  void add_runs(PlannedModel& model, const Cell& cell, const Json& checkpoint, const std::vector<std::int64_t>& jobs);
  /// Of a cell that is trained: all but what training makes.
  [[nodiscard]] PlannedModel model_of(const Cell& cell);
  void add_anchors(const std::string& base);
  void add_run(const PlannedModel& model, const std::string& subject, Json run);
  /// The artifact of a checkpoint, counted over all stages: adds the train jobs that lead to it.
  void plan_training(PlannedModel& model, const Cell& cell, std::int64_t checkpoint, std::vector<std::int64_t>& jobs);
  [[nodiscard]] TrainIngredients ingredients(const PlannedModel& model, const Cell& cell, std::size_t stage) const;
  /// The stage on the model's concept.
  const PlannedStage& stage_of(const PlannedModel& model, const Cell& cell, std::size_t stage);
  /// {"options": those that decide the stage's results}
  const SharedPart& read_part(const PlannedModel& model, const StageSpec& stage);
  std::int64_t train_job(const PlannedModel& model, const PlannedStage& stage, const Parts& description,
                         const Json& own, std::int64_t steps, const PlannedClassImages& images,
                         std::vector<std::int64_t> needs);
  /// The images of the class that the stage needs: given ones, or a job that draws them.
  [[nodiscard]] PlannedClassImages class_images(const PlannedModel& model, const Cell& cell, const StageSpec& stage);
  [[nodiscard]] PlannedClassImages given_class_images(const std::filesystem::path& folder, const StudyConcept& entry);
  [[nodiscard]] PlannedClassImages generated_class_images(const PlannedModel& model, const StageSpec& stage);
  /// The folder that the study or the concept names; empty: none.
  [[nodiscard]] std::filesystem::path class_image_folder(const StudyConcept& entry) const;
  std::string train_output(std::int64_t job, const Parts& description, Json own, std::int64_t step);
  [[nodiscard]] Json read_options(const PlannedModel& model, const StageSpec& stage) const;
  [[nodiscard]] std::string file_digest(const PlannedModel& model, const std::string& option,
                                        const std::string& file) const;
  void evaluate(const PlannedModel& model, const std::string& subject, const StudyEvaluation& evaluation,
                const std::string& run, const std::vector<std::int64_t>& needs);
  /// Pictures of the run, whoever makes them. `beside`: the evaluation wants those of the base model too.
  PlannedPictures pictures_of(const PlannedModel& model, const StudyEvaluation& evaluation, const Json& settings,
                              const std::vector<std::int64_t>& needs, bool beside);
  /// How the run samples pictures of the size and batch that the evaluation wants.
  [[nodiscard]] SampleIngredients sampling_of(const PlannedModel& model, const StudyEvaluation& evaluation,
                                              const Json& pictures) const;
  /// Pictures of the base model with the run's sampler, for the same prompts and from the same seeds. Neither method
  /// nor concept is in their keys: all runs that sample alike share them.
  PlannedPictures base_pictures(const PlannedModel& model, const StudyEvaluation& evaluation, const Json& settings);
  /// Puts their keys beside those of the run's pictures. Returns the job that draws them.
  std::int64_t add_base_pictures(const PlannedModel& model, const StudyEvaluation& evaluation, const Json& settings,
                                 PlannedPictures& planned);
  /// How the run's pictures for the evaluation are sampled.
  const PlannedSampling& sampling_plan(const PlannedModel& model, const StudyEvaluation& evaluation,
                                       const Json& settings);
  /// Pictures that the run samples.
  PlannedPictures sampled_pictures(const PlannedModel& model, const StudyEvaluation& evaluation, const Json& settings,
                                   const std::vector<std::int64_t>& needs);
  /// Pictures that lie where `images:` says. Throws Error (usage) naming the first of those that do not.
  PlannedPictures given_pictures(const PlannedModel& model, const StudyEvaluation& evaluation, const Json& settings);
  /// The prompts of an evaluation for a concept. Throws Error (usage) for one whose prompt_set leads to no list.
  [[nodiscard]] std::vector<PromptPlace> prompts_for(const PlannedModel& model, const StudyEvaluation& evaluation,
                                                     const Json& settings) const;
  /// What a prompt's pictures are compared with. Throws Error (usage) for a list without the texts that the rule wants.
  [[nodiscard]] std::string scored_text(const PromptPlace& place, const StudyEvaluation& evaluation,
                                        const Json& settings) const;
  /// Where in the study an evaluation stands, for errors.
  [[nodiscard]] std::string place_of(const StudyEvaluation& evaluation) const;
  /// Masks of pictures and photos for a protocol that scores foregrounds: adds the jobs that make them, and their keys
  /// to the pictures.
  PlannedMasks masks_for(const PlannedModel& model, const std::string& subject, const StudyEvaluation& evaluation,
                         const Json& settings, PlannedPictures& pictures);
  std::int64_t picture_masks(const PlannedModel& model, const StudyEvaluation& evaluation, const MaskIngredients& in,
                             const Json& segmenter, PlannedPictures& pictures);
  std::int64_t photo_masks(const PlannedModel& model, const std::string& subject, const StudyEvaluation& evaluation,
                           MaskIngredients in, const Json& segmenter, const std::string& rule, Json& key);
  /// Throws Error with the place of the evaluation where there is none.
  [[nodiscard]] const Json& segmenter_of(const StudyEvaluation& evaluation, const Json& masks) const;
  [[nodiscard]] Json common_job(const PlannedModel& model) const;
  /// The same as parts.
  Parts common_parts(const PlannedModel& model);
  [[nodiscard]] const Json& subject_of(const Cell& cell);
  [[nodiscard]] Json read_subject(const Cell& cell) const;
  /// A path that the study names: relative ones count from its folder.
  [[nodiscard]] std::filesystem::path resolved_path(const std::string& text) const;
  /// A path beside the study where there is one, else the name as it is.
  [[nodiscard]] std::string resolved_model(const std::string& name) const;
  /// Throws Error with the place of the method's base where it cannot be used.
  [[nodiscard]] const PlannedBase& base_of(const StudyMethod& method);
  [[nodiscard]] Json checkpoints_of(const Cell& cell, std::int64_t total) const;
  /// All ways in which the cell's pictures are sampled: one for each pair of guidance and reward guidance.
  [[nodiscard]] std::vector<PlannedSampler> samplers_of(const Cell& cell, const MethodSpec& spec) const;
  void add_anchor(PlannedModel& model, const std::string& subject, const std::string& label);
  /// What is chosen replaces, the scales of guidance excepted; another scheduler loses the settings of the one before.
  static void change_sampler(Json& sampler, const std::optional<StudySampler>& chosen);
  [[nodiscard]] PlannedEvaluation& evaluation_of(const StudyEvaluation& evaluation);
  [[nodiscard]] Json protocol_settings(const StudyEvaluation& evaluation);
  std::pair<const SharedPart*, const SharedPart*> scoring_parts(const PlannedModel& model, const std::string& subject,
                                                                const StudyEvaluation& evaluation);
  /// What the manifest says of the evaluations that some run has.
  [[nodiscard]] Json protocols() const;
  [[nodiscard]] const ProtocolSpec& protocol(const std::string& id);
  /// N of the first `count` pictures of a template.
  [[nodiscard]] const std::vector<std::int64_t>& seeds_of(const std::string& text, std::int64_t count);
  /// The options with paths of files as the worker can open them: relative ones count from the study's folder.
  [[nodiscard]] const SharedJson& opened_options(const Cell& cell, const MethodSpec& spec);
  /// {"resolved": the options that decide results}, of a run's identity.
  const SharedPart& deciding_part(const PlannedModel& model);
  /// Of the roles that the evaluation scores with.
  [[nodiscard]] Json encoders_of(const StudyEvaluation& evaluation, const ProtocolSpec& protocol) const;
  /// Leaves the encoders that the evaluation names. Throws Error (usage) for a role that the protocol does not have.
  void choose_encoders(const StudyEvaluation& evaluation, Json& scoring) const;
  /// The job with this content, a new one where there is none.
  Json& job(const std::string& identity, const std::string& kind, const std::vector<std::int64_t>& needs,
            const std::string& base, Json content);
  void use(std::int64_t job, const std::string& run);

  const Study& study_;
  const PlanSources& sources_;
  Json numerics_class_;
  std::string device_;
  std::int64_t threads_ = 1;
  std::map<std::string, PlannedConcept> concepts_;
  std::map<std::string, ProtocolSpec> read_protocols_;  // by id
  std::map<std::pair<std::string, std::int64_t>, std::vector<std::int64_t>> seeds_;
  std::map<std::string, std::int64_t> job_index_;  // by identity
  std::map<std::string, std::vector<ConceptPhoto>> class_folders_;
  std::map<std::string, std::set<std::string>> changed_prompts_;  // by evaluation, of all concepts
  SharedParts shared_, identities_;                               // the second are in no manifest
  // What was planned once for many cells, by what it depends on.
  std::map<std::pair<std::string, std::string>, Json> subjects_;  // label, concept
  std::map<std::string, const PlannedBase*> bases_;               // by label
  std::map<std::pair<std::string, const Json*>, SharedJson> opened_;
  std::map<const Json*, const SharedPart*> deciding_;
  std::map<std::pair<const StageSpec*, const Json*>, const SharedPart*> read_;
  std::map<std::string, PlannedStage> stages_;
  std::map<std::string, Parts> common_;
  std::map<std::string, PlannedSampling> samplings_;
  std::map<std::string, PlannedEvaluation> evaluations_;
  std::map<std::string, std::pair<const SharedPart*, const SharedPart*>> scorings_;  // description and content
  Json jobs_ = Json::array(), runs_ = Json::array();
};

}  // namespace atelier
