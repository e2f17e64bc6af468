/* arm64 guests do not check their registers yet. */
#include "../agent.h"

void work_fpu(unsigned int seconds)
{
    (void)seconds;
    say_failed("cloister.action=fpu: not built for arm64");
}
