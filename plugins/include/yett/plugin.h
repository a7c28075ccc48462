/* The C interface of rule-engine plugins, version 1. A plugin is a shared object that exports
 *
 *     const yett_plugin_v1* yett_plugin(void);
 *
 * This header is all that a plugin needs. It is stable: version 1 never changes; a later one gets another number.
 *
 * WARNING. A plugin is native code inside the process that decides. It cannot be budgeted or contained: one that loops
 * stops a worker, one that crashes stops Yett. Load only what you would compile in.
 *
 * THREADS. create() makes an instance; each worker has its own, and instances of one plugin run at the same time on
 * different threads. One instance is used by one thread at a time. What instances share must be immutable or locked.
 *
 * OWNERSHIP. The plugin owns what create() gave and frees it in destroy(). Everything that the host gives is valid
 * during the call only. Texts are bytes with a size; they need not end with NUL and may hold any byte.
 *
 * FAILING. A plugin that cannot be loaded or created makes the configuration invalid: at start Yett does not start, at
 * a reload the old generation goes on. evaluate() that returns YETT_FAIL, anything unknown, or throws a C++ exception
 * denies the request.
 */
#ifndef YETT_PLUGIN_H
#define YETT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YETT_PLUGIN_ABI_V1 1u

typedef struct yett_text {
  const char* data;
  size_t size;
} yett_text;

/* What a read finds. */
enum {
  YETT_ABSENT = 0,
  YETT_PRESENT = 1,
  YETT_INVALID = 2 /* there, and not one value (a header sent twice, a query that cannot be decoded); or no such
                      attribute, or over a limit */
};

/* What evaluate() says. Denials of any engine win; with the role "veto" an allow counts as YETT_ABSTAIN. */
enum { YETT_ABSTAIN = 0, YETT_ALLOW = 1, YETT_DENY = 2, YETT_FAIL = 3 };

/* The plugin answers from what it reads through the accessors, its settings and nothing else: the same values always
 * give the same answer. Then Yett remembers answers under exactly the values read. An answer that read "time" is never
 * remembered. */
#define YETT_PLUGIN_PURE 1u

/* The request that is decided about, and the accessors to read it with. Every read is noted in the audit record. */
typedef struct yett_request yett_request;

typedef struct yett_accessors_v1 {
  /* Reads a text: "method", "scheme", "host", "path", "raw_path", "protocol", "principal.id", "principal.trust_domain",
   * "principal.path", "principal.kind", "source.ip", "destination.ip", "tls.version", "tls.cipher", "tls.sni",
   * "grpc.service", "grpc.method", "body.json" (its bytes); with a key "header" (lower case) and "query". `key` is
   * {NULL, 0} for the others. Absent is never the empty text. */
  int (*text)(yett_request* request, const char* attribute, yett_text key, yett_text* out);
  /* Reads a number: "source.port", "destination.port", "time" (seconds since 1970), "body.size", "body.complete" (0 or
   * 1). */
  int (*number)(yett_request* request, const char* attribute, int64_t* out);
  /* How many values of a header were sent. */
  size_t (*header_count)(yett_request* request, yett_text name);
  /* The value with this index, from 0. */
  int (*header_at)(yett_request* request, yett_text name, size_t index, yett_text* out);
} yett_accessors_v1;

/* Filled by evaluate(). Comes in as: rule "evaluate", no texts, status 403. */
typedef struct yett_answer_v1 {
  char rule[64];           /* what decided, for record and metrics: one of a few words, ended by NUL */
  char reason[512];        /* for the operator, ended by NUL */
  char public_reason[256]; /* of a deny: told to the caller, ended by NUL */
  int status;              /* of a deny: 401, 403, 404 or 429 */
} yett_answer_v1;

typedef struct yett_plugin_v1 {
  uint32_t abi;        /* YETT_PLUGIN_ABI_V1 */
  uint32_t flags;      /* YETT_PLUGIN_PURE or 0 */
  const char* name;    /* appears as the policy of its decisions */
  const char* version; /* for people */
  /* Makes an instance. `settings` are the bytes of the engine's `settings` file, empty without one. Returns 0 and sets
   * `*instance`, or not 0 and writes why into `error` (ended by NUL). */
  int (*create)(yett_text settings, void** instance, char* error, size_t error_size);
  /* Decides. Returns one of YETT_ABSTAIN, YETT_ALLOW, YETT_DENY, YETT_FAIL (with a reason). Must not block. */
  int (*evaluate)(void* instance, const yett_accessors_v1* accessors, yett_request* request, yett_answer_v1* answer);
  void (*destroy)(void* instance);
} yett_plugin_v1;

/* The plugin's description; lives as long as the shared object is loaded. */
typedef const yett_plugin_v1* (*yett_plugin_function)(void);

#ifdef __cplusplus
}
#endif

#endif /* YETT_PLUGIN_H */
