/* session_stream.c - a session whose request is answered without an end in sight (stream.h). */
#include "gateway/session_private.h"
#include "gateway/stream.h"

static void
on_drained(void *arg)
{
    struct gw_stream *stream = arg;

    stream->events->go(stream->arg);
}

void
gw_session_stream(struct gw_session *s, struct gw_stream *stream)
{
    s->message->stream = stream;
    gw_session_on_drained(s, stream == NULL ? NULL : on_drained, stream);
}

bool
gw_session_drains(const struct gw_session *s)
{
    return s->all->draining;
}

void
gw_session_drain_streams(struct gw_sessions *all)
{
    struct gw_session *next;

    for (struct gw_session *s = all->all; s != NULL; s = next) {
        struct gw_stream *stream;

        next = s->next;
        stream = s->state == GW_SESSION_BUSY && s->message != NULL ? s->message->stream : NULL;
        if (stream != NULL) {
            stream->events->drain(stream->arg);
        }
    }
}
