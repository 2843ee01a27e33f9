#define _GNU_SOURCE
#include "wasl_tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// What is read of a certificate

static int64_t seconds_of(const ASN1_TIME *time) {
    struct tm parts;
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return (int64_t)timegm(&parts);
}

static void text_of(X509_NAME *name, char *out, size_t length) {
    BIO *memory = BIO_new(BIO_s_mem());
    out[0] = 0;
    if (!memory) return;
    // Control characters and quotes come escaped: a certificate must not be able to write lines of its own into a log.
    if (name && X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        int count = BIO_read(memory, out, (int)length - 1);
        out[count > 0 ? count : 0] = 0;
    }
    BIO_free(memory);
}

/// Only what a name may be made of: what else stands there becomes `?`.
static void append_name(char *out, size_t length, const char *text, size_t text_length) {
    size_t used = strlen(out);
    if (used && used + 2 < length) {
        memcpy(out + used, ", ", 3);
        used += 2;
    }
    for (size_t i = 0; i < text_length && used + 1 < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        out[used++] = byte > 0x20 && byte < 0x7F ? (char)byte : '?';
        out[used] = 0;
    }
}

static void names_of(X509 *certificate, char *out, size_t length) {
    out[0] = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            append_name(
                out, length, (const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            char text[INET6_ADDRSTRLEN] = "";
            int bytes = ASN1_STRING_length(name->d.iPAddress);
            if (bytes == 4 || bytes == 16)
                inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
            append_name(out, length, text, strlen(text));
        }
    }
    GENERAL_NAMES_free(names);
}

static void describe(X509 *certificate, wasl_certificate *out) {
    memset(out, 0, sizeof *out);
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) {
        const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        append_name(
            out->common_name, sizeof out->common_name, (const char *)ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    }
    text_of(subject, out->subject, sizeof out->subject);
    text_of(X509_get_issuer_name(certificate), out->issuer, sizeof out->issuer);
    names_of(certificate, out->names, sizeof out->names);
    out->not_before = seconds_of(X509_get0_notBefore(certificate));
    out->not_after = seconds_of(X509_get0_notAfter(certificate));
}

bool wasl_certificate_read(const char *file, wasl_certificate *certificate) {
    memset(certificate, 0, sizeof *certificate);
    FILE *stream = fopen(file, "re");
    if (!stream) return false;
    X509 *found = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    ERR_clear_error();
    if (!found) return false;
    describe(found, certificate);
    X509_free(found);
    return true;
}

// What is watched

void wasl_tls_watch_begin(wasl_tls_watch *watch) {
    memset(watch, 0, sizeof *watch);
    watch->alert = -1;
}

static wasl_tls_watch *watch_of(const SSL *ssl) { return ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL; }

static int on_verify(int passed, X509_STORE_CTX *store) {
    wasl_tls_watch *watch = watch_of(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (!watch) return passed;
    if (passed && certificate) {
        wasl_certificate seen;
        describe(certificate, &seen);
        if (!watch->has_peer || seen.not_after < watch->soonest.not_after) watch->soonest = seen;
        watch->has_peer = true;
    } else if (!passed && !watch->verify_error) {
        watch->verify_error = X509_STORE_CTX_get_error(store);
        watch->verify_depth = X509_STORE_CTX_get_error_depth(store);
        if (certificate) describe(certificate, &watch->faulty);
    }
    return passed;
}

static void on_news(const SSL *ssl, int where, int value) {
    wasl_tls_watch *watch = watch_of(ssl);
    bool is_fatal = (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value >> 8) == SSL3_AL_FATAL;
    if (watch && is_fatal && watch->alert < 0) watch->alert = value & 0xFF;
}

// How a connection is set up

/// A key behind a passphrase is not asked about on a terminal that a daemon has not.
static int no_passphrase(char *buffer, int size, int writing, void *data) {
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1;
}

static wasl_tls_fault fault(wasl_tls_fault which, char *why, size_t why_length) {
    // The first error is the cause; later ones only say what was being done.
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    snprintf(why, why_length, "%s", reason ? reason : "not in PEM form");
    ERR_clear_error();
    return which;
}

static bool load_revocations(SSL_CTX *context, const char *file) {
    X509_LOOKUP *lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(context), X509_LOOKUP_file());
    return lookup && X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) > 0 &&
           X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK) == 1;
}

static bool expect_name(SSL_CTX *context, const char *host) {
    X509_VERIFY_PARAM *wanted = SSL_CTX_get0_param(context);
    struct in6_addr address;
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1;
    return X509_VERIFY_PARAM_set1_host(wanted, host, 0) == 1;
}

wasl_tls_fault wasl_tls_configure(
    void *opaque, const char *host, const char *authority, const char *certificate, const char *key, const char *revocations,
    wasl_tls_watch *watch, char *why, size_t why_length) {
    SSL_CTX *context = opaque;
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_info_callback(context, on_news);
    SSL_CTX_set_app_data(context, watch);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_load_verify_locations(context, authority, NULL) != 1) return fault(WASL_TLS_AUTHORITY, why, why_length);
    if (host && !expect_name(context, host)) return fault(WASL_TLS_AUTHORITY, why, why_length);
    if (revocations && !load_revocations(context, revocations)) return fault(WASL_TLS_REVOCATIONS, why, why_length);
    if (!certificate) return WASL_TLS_FINE;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) return fault(WASL_TLS_CERTIFICATE, why, why_length);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        bool is_other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
        return fault(is_other ? WASL_TLS_PAIR : WASL_TLS_KEY, why, why_length);
    }
    if (SSL_CTX_check_private_key(context) != 1) return fault(WASL_TLS_PAIR, why, why_length);
    return WASL_TLS_FINE;
}

wasl_tls_fault wasl_tls_check(
    const char *authority, const char *certificate, const char *key, const char *revocations, char *why, size_t why_length) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return fault(WASL_TLS_AUTHORITY, why, why_length);
    wasl_tls_fault found = wasl_tls_configure(context, NULL, authority, certificate, key, revocations, NULL, why, why_length);
    SSL_CTX_free(context);
    return found;
}

// Why a connection failed

static int64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_for(int descriptor, short events, int64_t end) {
    int64_t left = end - now_milliseconds();
    struct pollfd poll_one = {descriptor, events, 0};
    return left > 0 && poll(&poll_one, 1, (int)left) > 0;
}

static int connect_to(const char *host, int port, int64_t end) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return -1;
    int descriptor = -1;
    for (struct addrinfo *one = found; one && descriptor < 0; one = one->ai_next) {
        descriptor = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol);
        if (descriptor < 0) continue;
        bool connected = connect(descriptor, one->ai_addr, one->ai_addrlen) == 0;
        if (!connected && errno == EINPROGRESS && wait_for(descriptor, POLLOUT, end)) {
            int error = 0;
            socklen_t length = sizeof error;
            connected = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
        }
        if (!connected) {
            close(descriptor);
            descriptor = -1;
        }
    }
    freeaddrinfo(found);
    return descriptor;
}

/// Whether it is worth another try once the socket is ready.
static bool goes_on(SSL *ssl, int result, int descriptor, int64_t end) {
    switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ: return wait_for(descriptor, POLLIN, end);
        case SSL_ERROR_WANT_WRITE: return wait_for(descriptor, POLLOUT, end);
        default: return false;
    }
}

void wasl_tls_probe(
    const char *host, int port, const char *authority, const char *certificate, const char *key, const char *revocations,
    int milliseconds, wasl_tls_watch *watch) {
    char why[128];
    int64_t end = now_milliseconds() + milliseconds;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int descriptor = context ? connect_to(host, port, end) : -1;
    bool configured =
        descriptor >= 0 &&
        wasl_tls_configure(context, host, authority, certificate, key, revocations, watch, why, sizeof why) == WASL_TLS_FINE;
    SSL *ssl = configured ? SSL_new(context) : NULL;
    if (ssl && SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set_fd(ssl, descriptor) == 1) {
        int result;
        while ((result = SSL_connect(ssl)) != 1 && goes_on(ssl, result, descriptor, end)) {}
        char bytes[64];
        while (result == 1 && watch->alert < 0) {
            int count = SSL_read(ssl, bytes, sizeof bytes);
            if (count <= 0 && !goes_on(ssl, count, descriptor, end)) break;
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    if (descriptor >= 0) close(descriptor);
    ERR_clear_error();
}

void wasl_tls_clear_errors(void) { ERR_clear_error(); }

bool wasl_tls_peer_speaks_no_tls(void) {
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_UNKNOWN_PROTOCOL || reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

const char *wasl_tls_alert_text(int alert) { return SSL_alert_desc_string_long(alert); }
const char *wasl_tls_verify_text(int verify_error) { return X509_verify_cert_error_string(verify_error); }

wasl_tls_verdict wasl_tls_verdict_of(int verify_error) {
    switch (verify_error) {
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE: return WASL_TLS_UNKNOWN_AUTHORITY;
        case X509_V_ERR_CERT_HAS_EXPIRED: return WASL_TLS_EXPIRED;
        case X509_V_ERR_CERT_NOT_YET_VALID: return WASL_TLS_NOT_YET_VALID;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return WASL_TLS_OTHER_NAME;
        case X509_V_ERR_CERT_REVOKED: return WASL_TLS_REVOKED;
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_CRL_SIGNATURE_FAILURE: return WASL_TLS_NO_REVOCATION_LIST;
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_CRL_NOT_YET_VALID: return WASL_TLS_OLD_REVOCATION_LIST;
        case X509_V_ERR_INVALID_PURPOSE: return WASL_TLS_OTHER_PURPOSE;
        default: return WASL_TLS_OTHERWISE_BAD;
    }
}
