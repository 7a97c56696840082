/*
 * files.h - objects from YAML and JSON files.
 *
 * A file holds one or more documents, each an object or a Kubernetes List of objects; empty
 * documents are fine.  Objects of other people's kinds (a chart's Deployment) are skipped with
 * a warning.
 */
#ifndef GW_REGISTRY_FILES_H
#define GW_REGISTRY_FILES_H

#include "base/map.h"
#include "registry/object.h"

/* Start with {0}. */
struct gw_objects {
    struct gw_object **items; /* owned, with a reference each */
    size_t n, size;
};

void gw_objects_add(struct gw_objects *list, struct gw_object *o); /* takes o's reference */
void gw_objects_fini(struct gw_objects *list);

/* Start with {0}. */
struct gw_paths {
    char **items; /* owned */
    size_t n, size;
};

/* Puts the files that a path stands for behind the others: itself, or those in the folder with
 * the names *.yaml, *.yml and *.json that don't begin with a dot, in the order of their names.
 * "-" is standard input.  False and errno when it can't be opened. */
bool gw_paths_add(struct gw_paths *files, const char *path);
void gw_paths_fini(struct gw_paths *files);

/* Where the objects of a reading stand, to find those that are there twice; it may span several
 * files, and lasts no longer than their objects. */
struct gw_seen {
    struct gw_map *places; /* key to text for people */
    struct gw_arena *arena;
};

void gw_seen_init(struct gw_seen *seen);
void gw_seen_fini(struct gw_seen *seen);

/* Reads one file behind what is in the list.  False when any error was added; the good objects
 * of the file are in the list then, too. */
bool gw_objects_read_file(struct gw_objects *list, const char *file, struct gw_seen *seen,
                          struct gw_diag *diag);

/* Reads files and folders (*.yaml, *.yml, *.json) into objects; used for registry.files, `apply`
 * and `explain --objects`.  Returns false when any error was added; *objects is heap memory of
 * the caller, with a reference each. */
bool gw_objects_read(const char *const *paths, struct gw_object ***objects, size_t *n,
                     struct gw_diag *diag);

#endif
