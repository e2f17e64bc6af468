/* The lists as C and C++: only through abi.h. SPDX: MIT */
#ifndef ABI_STRUCT_H
#define ABI_STRUCT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define ABI_ASSERT(condition) static_assert(condition, "guest ABI layout")
#else
#define ABI_ASSERT(condition) _Static_assert(condition, "guest ABI layout")
#endif

#define ABI_FEATURE(name, index, text, needs, since, standard, meaning)                            \
    ABI_FEATURE_##name = index,
enum abi_feature {
#include "feature.def"
};

#define ABI_LIMIT(name, index, value, since, meaning) ABI_LIMIT_##name = index,
enum abi_limit {
#include "limit.def"
};

#define ABI_LIMIT(name, index, value, since, meaning) ABI_MAX_##name = value,
enum abi_limit_value {
#include "limit.def"
};

#define ABI_SOURCE(name, index, feature, meaning) ABI_SOURCE_##name = index,
enum abi_source {
#include "event.def"
};

#define ABI_CONTROL(name, number, feature, since, meaning) ABI_CONTROL_##name = number,
enum abi_control_operation {
#include "control.def"
};

#define ABI_STRUCT(name, size, meaning) struct abi_##name {
#define ABI_FIELD(s, type, name, offset, meaning) type name;
#define ABI_ARRAY(s, type, name, count, offset, meaning) type name[count];
#define ABI_END(name) };
#include "struct.def"

#define ABI_STRUCT(name, size, meaning) ABI_ASSERT(sizeof(struct abi_##name) == (size));
#define ABI_FIELD(s, type, name, offset, meaning)                                                  \
    ABI_ASSERT(offsetof(struct abi_##s, name) == (offset));
#define ABI_ARRAY(s, type, name, count, offset, meaning)                                           \
    ABI_ASSERT(offsetof(struct abi_##s, name) == (offset));
#define ABI_END(name)
#include "struct.def"

#endif
