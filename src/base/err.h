/*
 * err.h - every way in which a request can fail: its name, its status, the Kubernetes
 * reason, and its words.
 *
 * The name is the `error` field of the access log and the label of
 * ksgate_errors_total{error="..."}.
 */
#ifndef GW_BASE_ERR_H
#define GW_BASE_ERR_H

/* clang-format off */
#define GW_ERRORS(X)                                                                                        \
    X(OK,                   200, "",                    "ok")                                               \
    X(BAD_REQUEST,          400, "BadRequest",          "the request is malformed")                         \
    X(BAD_FRAMING,          400, "BadRequest",          "the message's length is ambiguous or wrong")       \
    X(BAD_HEADER,           400, "BadRequest",          "a header is malformed")                            \
    X(BAD_HOST,             400, "BadRequest",          "exactly one valid Host header is required")        \
    X(BAD_TARGET,           400, "BadRequest",          "the request target is malformed")                  \
    X(BAD_PATH,             400, "BadRequest",          "the path could be read in two ways: encoded slashes, dot segments and empty segments are refused") \
    X(BAD_OBJECT,           422, "Invalid",             "the object is not valid")                          \
    X(BAD_BODY,             400, "BadRequest",          "the body could not be read")                       \
    X(TWO_CREDENTIALS,      400, "BadRequest",          "two credentials were sent that disagree")          \
    X(LOGIN_STATE,          400, "BadRequest",          "this login was not begun in this browser, or took too long, or is over: begin again") \
    X(NO_TOKEN,             401, "Unauthorized",        "a bearer token is required")                       \
    X(TOKEN_MALFORMED,      401, "Unauthorized",        "the token is malformed")                           \
    X(TOKEN_ALGORITHM,      401, "Unauthorized",        "the token's algorithm is not one of its key's")    \
    X(TOKEN_KEY,            401, "Unauthorized",        "no key is known for the token")                    \
    X(TOKEN_SIGNATURE,      401, "Unauthorized",        "the token's signature is not valid")               \
    X(TOKEN_EXPIRED,        401, "Unauthorized",        "the token has expired")                            \
    X(TOKEN_NOT_YET,        401, "Unauthorized",        "the token is not valid yet")                       \
    X(TOKEN_ISSUER,         401, "Unauthorized",        "the token's issuer is not trusted")                \
    X(TOKEN_AUDIENCE,       401, "Unauthorized",        "the token is for another audience")                \
    X(TOKEN_TYPE,           401, "Unauthorized",        "this type of token is not accepted here")          \
    X(TOKEN_CLAIM,          401, "Unauthorized",        "a claim of the token is missing or of a wrong type") \
    X(TOKEN_REVOKED,        401, "Unauthorized",        "the token has been revoked")                       \
    X(TOKEN_USER,           401, "Unauthorized",        "the token's user is not registered, or is disabled") \
    X(BASIC_MALFORMED,      401, "Unauthorized",        "the name and password are not as Basic has them") \
    X(PASSWORD_WRONG,       401, "Unauthorized",        "the user name or the password is wrong")           \
    X(USER_DISABLED,        401, "Unauthorized",        "the user's account is not active")                 \
    X(TOKEN_NOT_CACHED,     401, "Unauthorized",        "the token was not found in the token cache") \
    X(SESSION_ENDED,        401, "Unauthorized",        "the session is over: log in again")                \
    X(BAD_SCHEME,           401, "Unauthorized",        "this authentication scheme is not accepted here")  \
    X(FORBIDDEN,            403, "Forbidden",           "the caller lacks the permission")                  \
    X(NOT_OWNER,            403, "Forbidden",           "the endpoint belongs to somebody else")            \
    X(CROSS_SITE,           403, "Forbidden",           "a session cookie is not enough for this request, as nothing shows that it comes from a page of this site") \
    X(LOGIN_DENIED,         403, "Forbidden",           "the identity provider has not let you in")         \
    X(NO_ROUTE,             404, "NotFound",            "no route matches")                                 \
    X(NO_EXTENSION,         404, "NotFound",            "no such extension")                                \
    X(NO_OBJECT,            404, "NotFound",            "no such object")                                   \
    X(BAD_METHOD,           405, "MethodNotAllowed",    "this method is not allowed here")                  \
    X(HEAD_TIMEOUT,         408, "Timeout",             "the request head took too long (timeouts.head)")   \
    X(BODY_TIMEOUT,         408, "Timeout",             "the request body took too long (timeouts.body_idle)") \
    X(BODY_TOO_SLOW,        408, "Timeout",             "the request body comes too slowly (limits.min_rate)") \
    X(CONFLICT,             409, "Conflict",            "the object was changed meanwhile")                 \
    X(READ_ONLY,            409, "Conflict",            "the object comes from a file (registry.files) and can only be changed there") \
    X(EXISTS,               409, "AlreadyExists",       "the object exists already")                        \
    X(TOO_OLD,              410, "Expired",             "the resource version is too old")                  \
    X(WATCH_TOO_SLOW,       410, "Expired",             "the watch's events are not taken as fast as they come (limits.watch_backlog)") \
    X(BODY_TOO_LARGE,       413, "RequestEntityTooLarge", "the body is larger than limits.body allows")     \
    X(OBJECT_TOO_LARGE,     413, "RequestEntityTooLarge", "the object is larger than limits.object allows") \
    X(TARGET_TOO_LONG,      414, "RequestURITooLong",   "the request target is longer than limits.target allows") \
    X(BAD_MEDIA_TYPE,       415, "UnsupportedMediaType", "this media type is not understood")               \
    X(BAD_EXPECTATION,      417, "ExpectationFailed",   "only 100-continue can be expected")                \
    X(TOO_MANY_REQUESTS,    429, "TooManyRequests",     "too many requests")                                \
    X(PASSWORD_LIMIT,       429, "TooManyRequests",     "too many wrong passwords")                         \
    X(CLIENT_CONNECTIONS,   429, "TooManyRequests",     "the client has too many connections")              \
    X(HEAD_TOO_LARGE,       431, "RequestHeaderFieldsTooLarge", "the request head is larger than limits.head allows") \
    X(TOO_MANY_HEADERS,     431, "RequestHeaderFieldsTooLarge", "the request has more headers than limits.headers allows") \
    X(INTERNAL,             500, "InternalError",       "the gateway failed")                               \
    X(NOT_IMPLEMENTED,      501, "NotImplemented",      "this transfer coding or method is not implemented") \
    X(UPSTREAM_CONNECT,     502, "BadGateway",          "no connection to the backend could be made")       \
    X(UPSTREAM_CLOSED,      502, "BadGateway",          "the backend closed the connection before it answered") \
    X(UPSTREAM_INVALID,     502, "BadGateway",          "the backend's answer is not valid HTTP")           \
    X(UPSTREAM_TOO_LARGE,   502, "BadGateway",          "the head of the backend's answer is too large (limits.head, limits.headers)") \
    X(LOGIN_FAILED,         502, "BadGateway",          "what the identity provider has answered to the login is not usable") \
    X(SESSION_TOO_LARGE,    502, "BadGateway",          "the identity provider's tokens are larger than a session may be (login.cookie_bytes)") \
    X(LOGIN_UNAVAILABLE,    503, "ServiceUnavailable",  "the identity provider can't be reached, so nobody can log in now") \
    X(EXTENSION_DISABLED,   503, "ServiceUnavailable",  "the extension is disabled")                        \
    X(NO_ENDPOINT,          503, "ServiceUnavailable",  "the extension has no endpoint")                    \
    X(NO_SIGNING_KEY,       503, "ServiceUnavailable",  "the gateway has no key to sign with who asks (identity.signing_key_file)") \
    X(REGISTRY_UNAVAILABLE, 503, "ServiceUnavailable",  "the registry can't be reached; nothing was changed") \
    X(REGISTRY_UNKNOWN,     503, "ServiceUnavailable",  "it is not known yet what is registered: the gateway has not reached its registry since it started, and had no state of it on disk; try again soon, and if it lasts, see that the registry can be reached (the log says why it can't)") \
    X(REGISTRY_BEHIND,      503, "ServiceUnavailable",  "the registry has something else than this gateway knows of, again and again: it is behind, or others change the same all the time; nothing was changed; try again, or at another gateway (registry of /-/readyz says whether this one follows)") \
    X(WAITERS_FULL,         503, "ServiceUnavailable",  "as many requests wait for their writes (?wait=) as may (registry.waiters); nothing was changed") \
    X(PENDING_FULL,         503, "ServiceUnavailable",  "as many requests wait for the backend as may (limits.backend_pending; of an extension: limits.pending)") \
    X(PENDING_TIMEOUT,      503, "ServiceUnavailable",  "no connection to the backend became free in time (timeouts.pending)") \
    X(BREAKER_OPEN,         503, "ServiceUnavailable",  "the backend's requests have failed, and it is left alone for a while (outlier)") \
    X(GATEWAY_EXHAUSTED,    503, "ServiceUnavailable",  "the gateway lacks the means for one more connection to a backend") \
    X(TOKEN_CACHE_DOWN,     503, "ServiceUnavailable",  "the token cache can't be reached, so no token can be checked now") \
    X(OVERLOADED,           503, "ServiceUnavailable",  "there are as many connections as may be (limits.connections), and the head of this request is late") \
    X(KEYS_UNAVAILABLE,     503, "ServiceUnavailable",  "the keys of the token's issuer can't be had now, so nobody knows whether the token is good") \
    X(PASSWORD_BUSY,        503, "ServiceUnavailable",  "the password could not be checked in time (authentication.passwords)") \
    X(DRAINING,             503, "ServiceUnavailable",  "the gateway is shutting down")                     \
    X(UPSTREAM_TIMEOUT,     504, "Timeout",             "the backend did not answer in time (timeouts.first_byte)") \
    X(FLEET_BEHIND,         504, "Timeout",             "it was done, but not every gateway has followed in time (registry.redis.fleet_wait)") \
    X(TOO_NEW,              504, "Timeout",             "Too large resource version")                       \
    X(BAD_VERSION,          505, "BadRequest",          "only HTTP/1.0 and HTTP/1.1 are spoken here")       \
    X(CLIENT_GONE,          499, "ClientClosed",        "the client closed the connection")                 \
    X(CLIENT_TOO_SLOW,      499, "ClientClosed",        "the client takes its answer too slowly (timeouts.body_idle, limits.min_rate)") \
    X(HALF_CLOSED,          499, "ClientClosed",        "the client has closed its sending side and the answer made no progress (timeouts.half_closed)") \
    X(RESPONSE_CUT,         502, "BadGateway",          "the backend's answer ended too early")
/* clang-format on */

enum gw_err {
#define X(name, status, reason, text) GW_ERR_##name,
    GW_ERRORS(X)
#undef X
};

const char *gw_err_name(enum gw_err e); /* "token_expired": lower case, for logs and metrics */
const char *gw_err_text(enum gw_err e);
const char *gw_err_reason(enum gw_err e); /* of a Kubernetes Status */
int gw_err_status(enum gw_err e);
int gw_err_count(void);

#endif
