// The client's parts that show a head (frames, voice and clock without locks; a queue of records; a thread), for C++.
#pragma once
extern "C" {
#include "client/outbox.h"
#include "client/platform.h"
#include "client/show.h"
}
