#include "hv/cc.h"

#include "hv/types.h"

const char *cc_name(enum cc_kind kind)
{
#define CC_KIND_TEXT(name, text) [name] = text,
    static const char *const names[] = {CC_KIND_LIST(CC_KIND_TEXT)};
#undef CC_KIND_TEXT

    return names[kind];
}

bool cc_present(enum cc_kind kind)
{
    return kind == CC_NONE;
}
