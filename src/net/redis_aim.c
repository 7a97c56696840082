#include "net/redis_aim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MOST_NODES 64 /* a Cluster tells of new ones; of so many at most */

static void
free_node(struct gw_redis_node *node)
{
    free(node->host);
    free(node->path);
    *node = (struct gw_redis_node){0};
}

static void
add(struct gw_redis_aim *aim, const char *host, const char *path, int port)
{
    aim->nodes = gw_mem_resize(aim->nodes, (aim->n + 1) * sizeof(*aim->nodes));
    aim->nodes[aim->n++] = (struct gw_redis_node){
        .host = gw_mem_strdup(host), .path = gw_mem_strdup(path), .port = port};
}

bool
gw_redis_aim_read(struct gw_redis_aim *aim, const char *const *texts, int port,
                  struct gw_diag *diag)
{
    *aim = (struct gw_redis_aim){0};
    for (; *texts != NULL; texts++) {
        struct gw_redis_url u;

        if (!gw_redis_url_read_host(&u, *texts, port, diag)) {
            gw_redis_aim_fini(aim);
            return false;
        }
        add(aim, u.host, NULL, u.port);
        gw_redis_url_fini(&u);
    }
    return true;
}

void
gw_redis_aim_url(struct gw_redis_aim *aim, const struct gw_redis_url *url)
{
    *aim = (struct gw_redis_aim){0};
    add(aim, url->host, url->path, url->port);
}

void
gw_redis_aim_fini(struct gw_redis_aim *aim)
{
    for (size_t i = 0; i < aim->n; i++) {
        free_node(&aim->nodes[i]);
    }
    free(aim->nodes);
    free_node(&aim->moved);
    *aim = (struct gw_redis_aim){0};
}

static const struct gw_redis_node *
present(const struct gw_redis_aim *aim)
{
    return aim->moved.host != NULL ? &aim->moved : &aim->nodes[aim->at];
}

struct gw_redis_place
gw_redis_aim_place(const struct gw_redis_aim *aim)
{
    const struct gw_redis_node *node = present(aim);

    return (struct gw_redis_place){.host = node->host, .path = node->path, .port = node->port};
}

void
gw_redis_aim_show(const struct gw_redis_aim *aim, char *text, size_t size)
{
    const struct gw_redis_node *node = present(aim);

    if (node->path != NULL) {
        (void)snprintf(text, size, "unix:%s", node->path);
        return;
    }
    (void)snprintf(text, size, strchr(node->host, ':') == NULL ? "%s://%s:%d" : "%s://[%s]:%d",
                   aim->tls ? "rediss" : "redis", node->host, node->port);
}

void
gw_redis_aim_next(struct gw_redis_aim *aim)
{
    free_node(&aim->moved);
    aim->at = (aim->at + 1) % aim->n;
}

void
gw_redis_aim_to(struct gw_redis_aim *aim, const char *host, int port)
{
    char *copy = gw_mem_strdup(host); /* which may be the present one's */

    free_node(&aim->moved);
    aim->moved = (struct gw_redis_node){.host = copy, .port = port};
}

static bool
is_known(const struct gw_redis_aim *aim, const char *host, int port)
{
    for (size_t i = 0; i < aim->n; i++) {
        const struct gw_redis_node *node = &aim->nodes[i];

        if (node->host != NULL && node->port == port && strcmp(node->host, host) == 0) {
            return true;
        }
    }
    return false;
}

bool
gw_redis_aim_moved(struct gw_redis_aim *aim, const char *error)
{
    char host[256];
    uint64_t port;
    const char *slot = strncmp(error, "MOVED ", 6) == 0 ? strchr(error + 6, ' ') : NULL;
    const char *colon = slot == NULL ? NULL : strrchr(slot, ':');

    if (colon == NULL || !gw_str_u64(gw_str_of(colon + 1), &port) || port == 0 || port > 65535 ||
        (size_t)(colon - slot) > sizeof(host)) {
        return false;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - slot - 1), slot + 1);
    if (host[0] == '\0') { /* "the one that you have asked" */
        const char *same = present(aim)->host;

        (void)snprintf(host, sizeof(host), "%s", same == NULL ? "127.0.0.1" : same);
    }
    if (aim->n < MOST_NODES && !is_known(aim, host, (int)port)) {
        add(aim, host, NULL, (int)port);
    }
    gw_redis_aim_to(aim, host, (int)port);
    return true;
}
