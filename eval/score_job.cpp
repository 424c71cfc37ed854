#include "eval/score_job.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/cached_encoder.h"
#include "eval/score_table.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/worker/image_set.h"

namespace atelier::eval {
namespace {

using worker::Job;

const Json& member(const Job& job, const char* key, Json::value_t type) {
  const Json* found = job.find(key);
  if (found != nullptr && found->type() == type) return *found;
  throw Error({.where = fmt::format("job: {}", key),
               .found = found == nullptr ? "nothing" : found->dump(),
               .expected = type == Json::value_t::array ? "a list" : "an object"},
              ErrorKind::usage);
}

/// The scoring half of a protocol: the job has it alone, or within the whole protocol under `scoring`.
Protocol protocol_of(const Job& job) {
  const Json& whole = member(job, "protocol", Json::value_t::object);
  if (!whole.contains("scoring")) return Protocol::from_json(whole, "job: protocol");
  Json scoring = whole["scoring"];
  if (scoring.is_object() && whole.contains("id")) scoring["id"] = whole["id"];
  return Protocol::from_json(scoring, "job: protocol: scoring");
}

/// What the key of a score says about an encoder and its arithmetic, beside the store's other results.
std::unique_ptr<FeatureCache> cache_of(const worker::JobRun& run, const std::string& role) {
  const Json& key = run.outputs().front().description;
  const Json& digest = member_or_null(member_or_null(key, "encoders"), role.c_str());
  if (digest.is_null()) return nullptr;
  return std::make_unique<FeatureCache>(run.store().root() / "features",
                                        Json{{"encoder", digest},
                                             {"framework", member_or_null(key, "framework")},
                                             {"numerics_class", member_or_null(key, "numerics_class")}});
}

Encoders encoders_of(const worker::JobRun& run, const Protocol& protocol) {
  const Job& job = run.job();
  const Json& json = member(job, "encoders", Json::value_t::object);
  Encoders encoders;
  for (const auto& [role, use] : protocol.encoders) {
    if (!json.contains(role)) continue;  // score() says that it is missing
    const Job fields(json[role]);
    auto encoder = open_encoder({.folder = fields.text("path"),
                                 .tokenizer = fields.optional_text("tokenizer").value_or(""),
                                 .variant = fields.optional_text("variant").value_or(""),
                                 .allow_pickle = fields.flag("allow_pickle"),
                                 .positions = protocol.positions},
                                job.placement());
    if (use.side) encoder = with_side(std::move(encoder), *use.side);
    auto cache = use.measures_distance() ? nullptr : cache_of(run, role);  // its vectors are megabytes each
    if (cache) encoder = std::make_unique<CachedEncoder>(std::move(encoder), std::move(cache));
    encoders[role] = std::move(encoder);
  }
  return encoders;
}

/// Lays the masks of a set over its pictures, in their order. Returns what the masks borrow.
worker::ImageSet add_masks(const Store& store, const std::string& key, std::vector<Picture>& pictures) {
  const auto record = worker::find_input(store, key, "masks");
  auto masks = worker::ImageSet::open(store.object_path(record.object));
  if (masks.entries().size() != pictures.size()) {
    throw Error({.where = store.object_path(record.object).string(),
                 .found = fmt::format("{} masks", masks.entries().size()),
                 .expected = fmt::format("{}, one for each picture", pictures.size())});
  }
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const auto& entry = masks.entries()[k];
    pictures[k].mask = NamedBytes{record.object + ": " + entry.name, entry.bytes};
  }
  return masks;
}

/// The concept's photos.
struct References {
  std::vector<Picture> pictures;
  std::vector<ReferenceFacts> facts;
  std::vector<std::shared_ptr<const MappedFile>> files;  // what the pictures borrow
  std::optional<worker::ImageSet> masks;
};

References references_of(const Job& job, const Store& store) {
  References references;
  for (const Json& entry : member(job, "references", Json::value_t::array)) {
    const Job fields(entry);
    const std::string path = fields.text("path");
    references.files.push_back(MappedFile::open(path));
    references.pictures.push_back({.name = path, .bytes = references.files.back()->bytes(), .floats = std::nullopt});
    const auto name = fields.optional_text("name").value_or(std::filesystem::path(path).filename().string());
    references.facts.push_back({.name = name, .sha256 = fields.text("sha256")});
  }
  if (const auto key = job.optional_text("reference_masks"))
    references.masks = add_masks(store, *key, references.pictures);
  return references;
}

/// References with the same bytes are near-identical without anybody saying so; further pairs come with the job.
Duplicates duplicates_of(const Job& job, const References& references) {
  Duplicates duplicates;
  const auto index = [&](const Json& name) {
    const auto found = std::ranges::find_if(references.facts, [&](const auto& facts) { return name == facts.name; });
    if (found != references.facts.end()) return static_cast<std::size_t>(found - references.facts.begin());
    throw Error({.where = "job: duplicates", .found = name.dump(), .expected = "the name of a reference"},
                ErrorKind::usage);
  };
  if (job.find("duplicates") != nullptr) {
    for (const Json& pair : member(job, "duplicates", Json::value_t::array)) {
      duplicates.emplace_back(index(pair.at(0)), index(pair.at(1)));
    }
  }
  for (std::size_t a = 0; a < references.facts.size(); ++a) {
    for (std::size_t b = a + 1; b < references.facts.size(); ++b) {
      if (references.facts[a].sha256 == references.facts[b].sha256) duplicates.emplace_back(a, b);
    }
  }
  return duplicates;
}

/// The generated pictures, out of the store.
struct Generated {
  std::vector<PictureSet> sets;
  std::vector<SetFacts> facts;
  std::vector<worker::ImageSet> objects;  // what the pictures borrow

  /// Those of the object that `record` leads to.
  std::vector<Picture> pictures(const Store& store, const KeyRecord& record) {
    const auto& object = objects.emplace_back(worker::ImageSet::open(store.object_path(record.object)));
    std::vector<Picture> opened;
    for (const auto& entry : object.entries()) {
      opened.push_back({.name = record.object + ": " + entry.name, .bytes = entry.bytes, .floats = std::nullopt});
    }
    return opened;
  }
};

/// Seeds as the sample job's description lists them.
std::optional<std::int64_t> seed_of(const KeyRecord& record, std::size_t k) {
  const Json seeds = record.description.value("seeds", Json::array());
  if (k >= seeds.size() || !seeds[k].is_number_integer()) return std::nullopt;
  return seeds[k].get<std::int64_t>();
}

void add_set(const Job& fields, const std::string& class_word, const Store& store, Generated& generated) {
  const auto record = worker::find_input(store, fields.text("key"), "pictures");
  PictureSet set{.prompt = fields.text("prompt_id"),
                 .text = fields.text("text"),
                 .class_word = class_word,
                 .pictures = generated.pictures(store, record)};
  if (const auto beside = fields.optional_text("beside")) {
    set.beside = generated.pictures(store, worker::find_input(store, *beside, "the base model's pictures"));
  }
  SetFacts facts{.prompt = set.prompt, .role = fields.optional_text("role").value_or("edit"), .pictures = {}};
  for (std::size_t k = 0; k < set.pictures.size(); ++k) {
    facts.pictures.push_back({.seed = seed_of(record, k), .sha256 = sha256_hex(set.pictures[k].bytes)});
  }
  if (const auto key = fields.optional_text("masks")) generated.objects.push_back(add_masks(store, *key, set.pictures));
  generated.sets.push_back(std::move(set));
  generated.facts.push_back(std::move(facts));
}

Generated generated_of(const Job& job, const Store& store) {
  Generated generated;
  const Json* subject = job.find("concept");
  const auto class_word = subject == nullptr ? "" : Job(*subject).optional_text("class_word").value_or("");
  for (const Json& entry : member(job, "sets", Json::value_t::array)) {
    add_set(Job(entry), class_word, store, generated);
  }
  return generated;
}

std::size_t pictures_in(const Generated& generated) {
  std::size_t count = 0;
  for (const PictureSet& set : generated.sets) count += set.pictures.size();
  return count;
}

}  // namespace

void run_score_job(worker::JobRun& run) {
  const at::NoGradGuard no_grad;
  const Job& job = run.job();
  const Protocol protocol = protocol_of(job);
  const Encoders encoders = encoders_of(run, protocol);
  const References references = references_of(job, run.store());
  const Generated generated = generated_of(job, run.store());
  run.begin_work();
  const auto pictures = static_cast<std::int64_t>(pictures_in(generated));
  run.progress(0, pictures, "scoring");
  const Scores scores = score(protocol, encoders, references.pictures, generated.sets, duplicates_of(job, references));
  const std::string table = score_table(protocol, scores, generated.facts, references.facts).dump() + "\n";
  run.progress(pictures, pictures, "scoring");
  const std::string object = run.store().put(table);
  for (const auto& output : run.missing()) {
    run.publish(
        output, object,
        {{"images", pictures}, {"sets", generated.sets.size()}, {"bytes", table.size()}, {"seconds", run.seconds()}});
  }
}

}  // namespace atelier::eval
