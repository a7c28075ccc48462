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
 * OWNERSHIP. The plugin owns what create() returned and frees it in destroy(). Everything that the host passes is valid
 * only during the call. Texts are bytes with a size; they need not end with NUL and may contain any byte.
 *
 * FAILURES. A plugin that cannot be loaded or created makes the configuration invalid: Yett does not start; a reload
 * keeps the previous configuration. If evaluate() returns YETT_FAIL or an unknown value, or throws a C++ exception, the
 * request is denied.
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
  YETT_INVALID = 2 /* present, but not a single value (a header sent twice, a query that cannot be decoded); no such
                      attribute, or over a limit */
};

/* What evaluate() returns. A denial by any engine wins; with the role "veto" an allow counts as YETT_ABSTAIN. */
enum { YETT_ABSTAIN = 0, YETT_ALLOW = 1, YETT_DENY = 2, YETT_FAIL = 3 };

/* The answer depends only on what the plugin reads through the accessors and on its settings: the same values always
 * give the same answer. Yett then remembers answers for exactly the values read. An answer that read "time" is never
 * remembered. */
#define YETT_PLUGIN_PURE 1u

/* The request to decide, and the accessors to read it with. Every read appears in the audit record. */
typedef struct yett_request yett_request;

typedef struct yett_accessors_v1 {
  /* Reads a text: "method", "scheme", "host", "path", "raw_path", "protocol", "principal.id", "principal.trust_domain",
   * "principal.path", "principal.kind", "source.ip", "destination.ip", "tls.version", "tls.cipher", "tls.sni",
   * "grpc.service", "grpc.method", "body.json" (its bytes); with a key "header" (lower case) and "query". `key` is
   * {NULL, 0} for the others. An absent value is never an empty text. */
  int (*text)(yett_request* request, const char* attribute, yett_text key, yett_text* out);
  /* Reads a number: "source.port", "destination.port", "time" (seconds since 1970), "body.size", "body.complete" (0 or
   * 1). */
  int (*number)(yett_request* request, const char* attribute, int64_t* out);
  /* How many values of a header were sent. */
  size_t (*header_count)(yett_request* request, yett_text name);
  /* The value with this index, from 0. */
  int (*header_at)(yett_request* request, yett_text name, size_t index, yett_text* out);
} yett_accessors_v1;

/* Filled by evaluate(). Initially: rule "evaluate", no texts, status 403. */
typedef struct yett_answer_v1 {
  char rule[64];           /* what decided, for records and metrics: one of a few words, NUL-terminated */
  char reason[512];        /* for the operator, NUL-terminated */
  char public_reason[256]; /* of a deny: shown to the caller, NUL-terminated */
  int status;              /* of a deny: 401, 403, 404 or 429 */
} yett_answer_v1;

typedef struct yett_plugin_v1 {
  uint32_t abi;        /* YETT_PLUGIN_ABI_V1 */
  uint32_t flags;      /* YETT_PLUGIN_PURE or 0 */
  const char* name;    /* appears as the policy of its decisions */
  const char* version; /* for people */
  /* Creates an instance. `settings` are the bytes of the engine's `settings` file, empty without one. Returns 0 after
   * setting `*instance`, or returns nonzero and writes the reason to `error` (NUL-terminated). */
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
