/* The lists as assembler symbols: only through abi.h. SPDX: MIT */
#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    .set ABI_CALL_##name, ABI_CALL_BASE + index;
#include "call.def"
#define ABI_STATUS(name, number, meaning) .set ABI_##name, number;
#include "status.def"
#define ABI_FEATURE(name, index, text, needs, since, standard, meaning)                            \
    .set ABI_FEATURE_##name, index;
#include "feature.def"
#define ABI_LIMIT(name, index, value, since, meaning)                                              \
    .set ABI_LIMIT_##name, index;                                                                  \
    .set ABI_MAX_##name, value;
#include "limit.def"
#define ABI_SOURCE(name, index, feature, meaning) .set ABI_SOURCE_##name, index;
#include "event.def"
#define ABI_CONTROL(name, number, feature, since, meaning) .set ABI_CONTROL_##name, number;
#include "control.def"
#define ABI_STRUCT(name, size, meaning) .set ABI_SIZE_##name, size;
#define ABI_FIELD(s, type, name, offset, meaning) .set ABI_AT_##s##_##name, offset;
#define ABI_ARRAY(s, type, name, count, offset, meaning) .set ABI_AT_##s##_##name, offset;
#define ABI_END(name)
#include "struct.def"
