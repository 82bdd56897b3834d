// The runtime library (visavis.h): found, loaded and checked when the first character needs it; then it stays, since
// threads of a stage that is still closing run its code.
#pragma once

#include "CoreMinimal.h"

#include "visavis/visavis.h"

// clang-format off
#define VISAVIS_RUNTIME_CALLS(Call) \
	Call(abi_matches) Call(last_error) Call(version) Call(now) \
	Call(model_load) Call(model_destroy) Call(engine_create) Call(engine_destroy) \
	Call(default_stage_config) Call(default_session_config) Call(stage_create) Call(stage_destroy) \
	Call(stage_open_head) Call(stage_close_head) Call(stage_sample) Call(stage_read_audio) \
	Call(stage_send_user_audio) Call(stage_send_agent_audio) Call(stage_send_user_face) \
	Call(stage_set_dial) Call(stage_cancel) Call(stage_status_text) Call(stage_next_log)
// clang-format on

/** The library's calls by their names without vv_. */
struct FVisavisRuntime
{
#define VISAVIS_POINTER(Name) decltype(&vv_##Name) Name = nullptr;
	VISAVIS_RUNTIME_CALLS(VISAVIS_POINTER)
#undef VISAVIS_POINTER

	/** Path of the library for this platform in the plugin's folder.  Game thread. */
	static FString LibraryPath();
	/** Path of the model that comes with the plugin.  Game thread. */
	static FString ModelPath();
	/** Any thread; the first call for a path loads.  Null: Problem names the file, what is wrong and what to do. */
	static const FVisavisRuntime* Load(const FString& Path, FString& Problem);

private:
	bool Find(void* Library, const FString& Path, FString& Problem);
};
