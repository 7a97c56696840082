#include "registry/place.h"

#include "net/redis.h"

#define TIMEOUT_MS 5000 /* of one command: nobody's request waits for it */

bool
gw_store_place_read(struct gw_place_of_store *p, const char *text, const char *password_file,
                    const char *prefix, struct gw_diag *diag)
{
    static const char sqlite[] = "sqlite:";

    *p = (struct gw_place_of_store){.text = text};
    if (strncmp(text, sqlite, sizeof(sqlite) - 1) == 0) {
        p->driver = &gw_store_sqlite;
        p->conf.sqlite =
            (struct gw_registry_sqlite){.path = text + sizeof(sqlite) - 1, .visits = true};
        if (p->conf.sqlite.path[0] == '\0') {
            gw_diag_error(diag, (struct gw_place){0},
                          "%s names no file: write sqlite:/var/lib/ksgate/registry.db", text);
            return false;
        }
        return true;
    }
    if (strncmp(text, "redis://", 8) != 0 && strncmp(text, "rediss://", 9) != 0 &&
        strncmp(text, "unix:", 5) != 0) {
        gw_diag_error(diag, (struct gw_place){0},
                      "\"%s\" is no store: write sqlite:PATH, redis:// or "
                      "rediss://[USER@]HOST[:PORT][/DB], or unix:PATH[?user=USER&db=N]",
                      text);
        return false;
    }
    p->driver = &gw_store_redis;
    p->conf.redis = (struct gw_registry_redis){.url = text,
                                               .password_file = password_file,
                                               .prefix = prefix == NULL ? "{ksgate}:" : prefix,
                                               .timeout_ms = TIMEOUT_MS};
    return gw_redis_check(&(struct gw_redis_conf){.url = text}, diag);
}
