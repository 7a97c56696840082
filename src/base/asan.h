/* asan.h - is AddressSanitizer there?  What caches memory of its own then has to let it see. */
#ifndef GW_BASE_ASAN_H
#define GW_BASE_ASAN_H

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define GW_ASAN 1
#elif defined(__has_feature)
#define GW_ASAN __has_feature(address_sanitizer) /* clang */
#else
#define GW_ASAN 0
#endif

#endif
