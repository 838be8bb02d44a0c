// The server's words of date and time: a header of macros like MONTH and AM, for the one file that needs them.
#pragma once

#include "am/server/server.hpp"

extern "C" {
#include "parser/scansup.h"
#include "utils/datetime.h"
}
