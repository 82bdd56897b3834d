// Stand-in for tests, see README.md: seconds of a monotonic clock.
#pragma once

struct FPlatformTime {
    static double Seconds();
};
