#include "eval/eval_job.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/feature_files.h"
#include "eval/score_sheet.h"
#include "eval/text_table.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"

namespace atelier::eval {
namespace {

using worker::Job;

const Json& member(const Job& job, const char* key) {
  const Json* found = job.find(key);
  if (found != nullptr && found->is_structured()) return *found;
  throw Error({.where = fmt::format("job: {}", key), .found = "nothing", .expected = "an object or a list"});
}

Encoders folder_encoders(const Job& job, const Protocol& protocol) {
  const Json& folders = member(job, "encoders");
  const Json& texts = member(job, "text_features");
  Encoders encoders;
  for (const auto& [role, use] : protocol.encoders) {
    EncoderFiles files{
        .folder = Job(folders.at(role)).text("path"), .tokenizer = {}, .variant = {}, .positions = protocol.positions};
    auto encoder = open_encoder(files, job.placement());
    if (use.side) encoder = with_side(std::move(encoder), *use.side);
    encoders[role] = with_texts(std::move(encoder), texts.value(role, ""));
  }
  return encoders;
}

/// Pictures of the job, with the files that they borrow.
class Pictures {
 public:
  [[nodiscard]] Picture open(const Job& fields) {
    const std::string path = fields.text("path");
    Picture picture{.name = path, .bytes = bytes(path), .floats = std::nullopt};
    picture.mask = named(fields.optional_text("mask"));
    picture.removed = named(fields.optional_text("removed"));
    return picture;
  }

 private:
  std::span<const std::byte> bytes(const std::string& path) {
    return files_.emplace_back(MappedFile::open(path))->bytes();
  }
  std::optional<NamedBytes> named(const std::optional<std::string>& path) {
    return path ? std::optional(NamedBytes{*path, bytes(*path)}) : std::nullopt;
  }

  std::vector<std::shared_ptr<const MappedFile>> files_;
};

/// A concept of the job, as the scorer takes it.
struct JobConcept {
  ScoredConcept subject;
  std::vector<Picture> references;
  std::vector<PictureSet> sets;
  Duplicates duplicates;
};

void add_set(const Job& fields, const std::string& class_word, Pictures& files, JobConcept& made) {
  PictureSet set{
      .prompt = fields.text("prompt"), .text = fields.text("text"), .class_word = class_word, .pictures = {}};
  SheetSet sheet{.prompt = set.prompt,
                 .reconstruction = fields.flag("reconstruction"),
                 .keeps_appearance = fields.flag("keeps_appearance"),
                 .files = {}};
  for (const Json& entry : member(fields, "pictures")) {
    const Job picture(entry);
    set.pictures.push_back(files.open(picture));
    sheet.files.push_back(picture.text("file"));
  }
  made.sets.push_back(std::move(set));
  made.subject.sets.push_back(std::move(sheet));
}

JobConcept concept_of(const Job& fields, Pictures& files) {
  JobConcept made;
  made.subject.name = fields.text("name");
  for (const Json& entry : member(fields, "references")) {
    const Job reference(entry);
    made.references.push_back(files.open(reference));
    made.subject.references.push_back(reference.text("file"));
  }
  for (const Json& pair : member(fields, "duplicates")) {
    made.duplicates.emplace_back(pair.at(0).get<std::size_t>(), pair.at(1).get<std::size_t>());
  }
  for (const Json& entry : member(fields, "sets")) add_set(Job(entry), fields.text("class_word"), files, made);
  return made;
}

/// The side that references are squashed to, one for all concepts: that of the first generated picture that can be
/// decoded.
int common_side(const Job& job, const Protocol& protocol) {
  if (!protocol.size_from_generated) return protocol.pictures.size;
  for (const Json& subject : member(job, "concepts")) {
    for (const Json& set : member(Job(subject), "sets")) {
      for (const Json& entry : member(Job(set), "pictures")) {
        Pictures files;
        const std::array<Picture, 1> one{files.open(Job(entry))};
        if (const auto side = side_of_first(one, protocol.pictures.exif)) return *side;
      }
    }
  }
  return protocol.pictures.size;
}

ScoredConcept scored_concept(const Job& fields, const Protocol& protocol, const Encoders& encoders) {
  Pictures files;
  JobConcept made = concept_of(fields, files);
  made.subject.scores = score(protocol, encoders, made.references, made.sets, made.duplicates);
  return std::move(made.subject);
}

Json encoder_digests(const Job& job) {
  Json digests = Json::object();
  for (const auto& [role, entry] : member(job, "encoders").items()) digests[role]["sha256"] = entry.at("sha256");
  return digests;
}

void score_folders(const Job& job) {
  const at::NoGradGuard no_grad;
  Protocol protocol = Protocol::from_json(member(job, "protocol"), "protocol");
  const Reduction reduction = Reduction::from_json(member(job, "reduction"), "reduction");
  const Encoders encoders = folder_encoders(job, protocol);
  protocol.pictures.size = common_side(job, protocol);
  protocol.size_from_generated = false;
  std::vector<ScoredConcept> scored;
  for (const Json& entry : member(job, "concepts")) scored.push_back(scored_concept(Job(entry), protocol, encoders));
  Json file = score_tables(protocol, reduction, scored, job.flag("pairs"));
  file.update({{"schema", "atelier.scores/1"},
               {"name", job.text("name")},
               {"protocol", protocol.id},
               {"settings", protocol.resolved()},
               {"encoders", encoder_digests(job)}});
  std::optional<FeatureFiles> features;
  if (const auto folder = job.optional_text("features_out")) features.emplace(*folder, protocol, scored);
  write_file_atomically(job.text("out"), pretty_json(file));
  if (features) features->commit();
  for (const auto& warning : job.texts("warnings")) fmt::print(stderr, "atelier: {}\n", warning);
}

}  // namespace

void run_eval_job(const Job& job) {
  try {
    score_folders(job);
  } catch (const Error& error) {
    throw Error(error.fault(), ErrorKind::failure);
  }
}

}  // namespace atelier::eval
