#include "framework/store/manifest_parts.h"

#include <nlohmann/json.hpp>

#include "framework/store/ingest_parts.h"

namespace atelier {
namespace {

constexpr const char* kShared = "shared";

/// The parts that the object names, the first one's members first.
template <class Use>
void for_each_part(const Json& manifest, const Json& object, const Use& use) {
  for (const Json& name : list_member(object, kShared)) {
    if (!name.is_string()) continue;
    const Json& part = object_member(object_member(manifest, kShared), name.get_ref<const std::string&>().c_str());
    use(part);
  }
}

}  // namespace

const Json& member_of(const Json& manifest, const Json& object, const char* name) {
  if (object.is_object() && object.contains(name)) return object.at(name);
  const Json* found = &member_or_null(object, name);
  for_each_part(manifest, object, [&](const Json& part) {
    if (const auto member = part.find(name); found->is_null() && member != part.end()) found = &*member;
  });
  return *found;
}

Json whole_object(const Json& manifest, const Json& object) {
  Json whole = object;
  if (!object.is_object() || !object.contains(kShared)) return whole;
  whole.erase(kShared);
  for_each_part(manifest, object, [&](const Json& part) {
    for (const auto& [name, value] : part.items()) whole.emplace(name, value);  // its own stay
  });
  return whole;
}

Json job_content(const Json& manifest, const Json& job) { return whole_object(manifest, object_member(job, "job")); }

Json description_of(const Json& manifest, const Json& output) {
  return whole_object(manifest, object_member(output, "description"));
}

Json whole_job(const Json& manifest, const Json& job) {
  Json whole = job;
  if (whole.contains("job")) whole["job"] = job_content(manifest, job);
  for (Json& output : whole["outputs"]) {
    if (output.contains("description")) output["description"] = description_of(manifest, output);
  }
  return whole;
}

Json whole_manifest(Json manifest) {
  for (Json& job : manifest.at("jobs")) job = whole_job(manifest, job);
  manifest.erase(kShared);
  return manifest;
}

}  // namespace atelier
