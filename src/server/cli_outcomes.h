/*
 * cli_outcomes.h - what has become of each object that a command was given.
 *
 * As a table: a line each, as soon as it is true, and what failed on stderr.  As JSON or YAML: the
 * same on stderr, and at the end one document
 *
 *     dryRun: false
 *     items:
 *       - {apiVersion, kind, namespace, name, result: created}  # or configured, unchanged, ...
 *       - {..., result: failed, error: {the Status that says why}}
 *     findings: [...]   # of the files, when there are any (gw_cli_findings_json)
 *     error: {...}      # the Status of what failed for all of them
 */
#ifndef GW_SERVER_CLI_OUTCOMES_H
#define GW_SERVER_CLI_OUTCOMES_H

#include "server/cli_objects.h"

/* Start with {.cli, .format, .dry_run}; gw_outcomes_end() frees what it holds. */
struct gw_outcomes {
    const struct gw_cli *cli;
    enum gw_output format;
    bool dry_run;
    bool failed;                      /* anything */
    json_t *items, *findings, *error; /* owned, or NULL */
};

/* Whose outcome it is.  Borrowed. */
struct gw_outcome_of {
    const struct gw_kind *kind;
    const char *ns, *name; /* ns may be NULL */
};

void gw_outcome_add(struct gw_outcomes *o, const struct gw_outcome_of *object, const char *result);

/* status is taken over. */
void gw_outcome_fail(struct gw_outcomes *o, const struct gw_outcome_of *object, json_t *status);

/* What failed for all of them, in `before`'s words; status is taken over. */
void gw_outcomes_fail_all(struct gw_outcomes *o, const char *before, json_t *status);

/* The same, with a Status of these words. */
void gw_outcomes_fail_by(struct gw_outcomes *o, const char *words);

/* As gw_cli_client(); where the gateway is not found, the document says so and is printed. */
int gw_outcomes_client(struct gw_outcomes *o, struct gw_client *out,
                       struct gw_client_options *where);

/* Says what was found in files, and frees the diag's content. */
void gw_outcomes_findings(struct gw_outcomes *o, struct gw_diag *diag);

/* Prints the document, if it is one; the exit code. */
int gw_outcomes_end(struct gw_outcomes *o);

#endif
