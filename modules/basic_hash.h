/*
 * basic_hash.h - bcrypt hashes, as ks-core stores passwords (User's spec.password).
 */
#ifndef GW_MODULES_BASIC_HASH_H
#define GW_MODULES_BASIC_HASH_H

#include "base/str.h"

#define GW_BCRYPT_CHARS 60

/* The cost of "$2a$10$...", or 0 when it is no bcrypt hash (2a, 2b, 2y). */
unsigned gw_bcrypt_cost(struct gw_str hash);

/* A hash of that cost (4 to 31) that fits no password that anyone knows: it takes as long. */
void gw_bcrypt_nobody(char hash[GW_BCRYPT_CHARS + 1], unsigned cost);

/* What one thread hashes in: 32 KiB. */
struct gw_bcrypt;
struct gw_bcrypt *gw_bcrypt_new(void);
void gw_bcrypt_free(struct gw_bcrypt *b); /* wipes it; NULL is fine */

/* Is it the password of the hash?  Both NUL-terminated; takes 50 ms and more.  Of a password only
 * the first 72 bytes count, as everywhere with bcrypt. */
bool gw_bcrypt_check(struct gw_bcrypt *b, const char *password, const char *hash);

#endif
