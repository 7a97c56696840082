/* identity_key.h - the EC key of RFC 7517, A.2, in PEM, and its thumbprint. */
#ifndef T_LIB_IDENTITY_KEY_H
#define T_LIB_IDENTITY_KEY_H

#define RFC_KEY                                                          \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg870MB6gfuTJ4HtUn\n" \
    "UvYMyJpr5eUZNP4Bk43bVdj3eAGhRANCAAQwoEJM0hwpRIOKLXXJKzfnbqINnwCJ\n" \
    "OjtO7oo8Cq/sPuBLZekkVtmIi1Kzeb371R7oae8fD8ZbZllpW2zOCBcj\n"         \
    "-----END PRIVATE KEY-----\n"
#define RFC_PUBLIC                                                       \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A\n" \
    "iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n"     \
    "-----END PUBLIC KEY-----\n"
#define RFC_KID "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
#define RFC_X   "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define RFC_Y   "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"

#endif
