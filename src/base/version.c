#include "base/version.h"

const char *bmf_version(void)
{
    return BMF_VERSION;
}
