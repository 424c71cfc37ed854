#pragma once

#include <string>

#include "framework/core/json.h"
#include "framework/store/database.h"
#include "framework/store/store.h"

namespace atelier {

void ingest_manifest(Database& database, const std::string& digest, const Json& manifest);
void ingest_event(Database& database, const Json& event);
/// Replaces all rows of the key.
void ingest_record(Database& database, const Store& store, const KeyRecord& record);
// What gc or the user removed.
void forget_manifest(Database& database, const std::string& digest);
void forget_record(Database& database, const std::string& key);

// Members of foreign JSON as values: NULL where one is missing or of another type.
[[nodiscard]] Value text_member(const Json& json, const char* name);
[[nodiscard]] Value integer_member(const Json& json, const char* name);
[[nodiscard]] Value real_member(const Json& json, const char* name);
/// The member as JSON text, "" … NULL when missing.
[[nodiscard]] Value json_member(const Json& json, const char* name);
/// The member if it is an array (an object), else an empty one. Refers to `json`.
[[nodiscard]] const Json& list_member(const Json& json, const char* name);
[[nodiscard]] const Json& object_member(const Json& json, const char* name);

}  // namespace atelier
