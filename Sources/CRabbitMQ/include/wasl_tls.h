// TLS towards the broker. librabbitmq only says that a handshake failed; this says why, by watching OpenSSL itself.
#ifndef WASL_TLS_H
#define WASL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Which file is not as it should be. `certificate` and `key` may both be NULL everywhere here, as may `revocations`; files are read
/// by each call and never kept, so that the next connection has what is in them by then.
typedef enum wasl_tls_fault {
    WASL_TLS_FINE = 0,
    WASL_TLS_AUTHORITY,
    WASL_TLS_CERTIFICATE,
    WASL_TLS_KEY,
    WASL_TLS_PAIR,
    WASL_TLS_REVOCATIONS,
} wasl_tls_fault;

/// Of a certificate: who it is about, who issued it, until when. Times are seconds since 1970; texts end with a zero.
typedef struct wasl_certificate {
    char common_name[128];
    char subject[256];
    char issuer[256];
    char names[256];
    int64_t not_before;
    int64_t not_after;
} wasl_certificate;

/// What was seen of one connection's TLS. OpenSSL writes it on the thread that owns the connection; it outlives the connection.
typedef struct wasl_tls_watch {
    /// An `X509_V_ERR_…` of the first certificate of the peer's that did not pass, which is `faulty`, so many steps above its own; else 0.
    int verify_error;
    int verify_depth;
    wasl_certificate faulty;
    /// The fatal alert with which the peer ended it; -1 when none came.
    int alert;
    bool has_peer;
    /// The one of the peer's chain that ends first.
    wasl_certificate soonest;
} wasl_tls_watch;

void wasl_tls_watch_begin(wasl_tls_watch *watch);

/// Sets an `SSL_CTX` up: TLS 1.2 or newer, the peer's chain and name (or address) verified, the files loaded, everything watched.
/// `why` gets OpenSSL's words for a fault.
wasl_tls_fault wasl_tls_configure(
    void *context, const char *host, const char *authority, const char *certificate, const char *key, const char *revocations,
    wasl_tls_watch *watch, char *why, size_t why_length);

/// Whether the files can be used, without connecting.
wasl_tls_fault wasl_tls_check(
    const char *authority, const char *certificate, const char *key, const char *revocations, char *why, size_t why_length);

/// A handshake that sends nothing after it and listens for a while. Under TLS 1.3 a server refuses a client's certificate after the
/// handshake; when bytes of ours were on their way, its end of the connection may throw that alert away.
void wasl_tls_probe(
    const char *host, int port, const char *authority, const char *certificate, const char *key, const char *revocations,
    int milliseconds, wasl_tls_watch *watch);

/// Reads the first certificate of a PEM file.
bool wasl_certificate_read(const char *file, wasl_certificate *certificate);

/// Forgets earlier errors of this thread's, so that what comes after is about what comes after.
void wasl_tls_clear_errors(void);
/// Whether the last error says that the peer speaks something else than TLS.
bool wasl_tls_peer_speaks_no_tls(void);

const char *wasl_tls_alert_text(int alert);
const char *wasl_tls_verify_text(int verify_error);

/// `X509_V_ERR_…` values, sorted by what has to be done about them.
typedef enum wasl_tls_verdict {
    WASL_TLS_UNKNOWN_AUTHORITY = 1,
    WASL_TLS_EXPIRED,
    WASL_TLS_NOT_YET_VALID,
    WASL_TLS_OTHER_NAME,
    WASL_TLS_REVOKED,
    WASL_TLS_NO_REVOCATION_LIST,
    WASL_TLS_OLD_REVOCATION_LIST,
    WASL_TLS_OTHER_PURPOSE,
    WASL_TLS_OTHERWISE_BAD,
} wasl_tls_verdict;
wasl_tls_verdict wasl_tls_verdict_of(int verify_error);

#endif
