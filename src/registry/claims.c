#include "registry/claims.h"

#include <string.h>

bool
gw_claim_meets(const struct gw_claim *a, const struct gw_claim *b)
{
    if (a->space != b->space || !(gw_claim_is_of_any_method(a) || gw_claim_is_of_any_method(b) ||
                                  gw_str_eq(a->method, b->method))) {
        return false;
    }
    return gw_str_eq(a->text, b->text) || (a->prefix && gw_str_has_prefix(b->text, a->text)) ||
           (b->prefix && gw_str_has_prefix(a->text, b->text));
}

/* Links: whole texts that differ. */
static const struct gw_claim *
find_sorted(const struct gw_claim *c, const struct gw_claims *all)
{
    size_t low = 0;
    size_t high = all->n;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (gw_str_cmp(all->sorted[mid]->text, c->text) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < all->n && gw_claim_meets(c, all->sorted[low]) ? all->sorted[low] : NULL;
}

static const struct gw_claim *
first_met(const struct gw_claim *c, const struct gw_claims *all)
{
    if (all->sorted != NULL) {
        return find_sorted(c, all); /* links alone have it, and meet nothing but links */
    }
    for (size_t i = 0; i < all->n; i++) {
        if (gw_claim_meets(c, &all->list[i])) {
            return &all->list[i];
        }
    }
    return NULL;
}

const struct gw_claim *
gw_claims_meet(const struct gw_claims *a, const struct gw_claims *b, const struct gw_claim **other)
{
    for (size_t i = 0; i < a->n; i++) {
        *other = first_met(&a->list[i], b);
        if (*other != NULL) {
            return &a->list[i];
        }
    }
    return NULL;
}

int
gw_claims_order(const struct gw_claims *a, const struct gw_claims *b)
{
    if (a->from_file != b->from_file) {
        return a->from_file ? -1 : 1;
    }
    if ((a->created == NULL) != (b->created == NULL)) {
        return a->created != NULL ? -1 : 1;
    }
    int by_age = a->created == NULL ? 0 : strcmp(a->created, b->created);
    return by_age != 0 ? by_age : strcmp(a->object->key, b->object->key);
}
