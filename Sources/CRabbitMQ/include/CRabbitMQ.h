// Shims over librabbitmq: what Swift cannot call (variadic functions, macros with casts, unions) and nothing else.
#ifndef WASL_CRABBITMQ_H
#define WASL_CRABBITMQ_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdint.h>
#include "wasl_tls.h"

/// What a frame is, once its method number is read.
typedef enum wasl_frame_kind {
    WASL_FRAME_OTHER = 0,
    WASL_FRAME_ACK,
    WASL_FRAME_NACK,
    WASL_FRAME_RETURN,
    WASL_FRAME_DELIVER,
    WASL_FRAME_CANCEL,
    WASL_FRAME_BLOCKED,
    WASL_FRAME_UNBLOCKED,
    WASL_FRAME_CHANNEL_CLOSE,
    WASL_FRAME_CONNECTION_CLOSE,
    WASL_FRAME_HEADER,
    WASL_FRAME_BODY,
} wasl_frame_kind;

/// One frame, flattened. The byte ranges point into librabbitmq's pools: copy them before the buffers are released.
typedef struct wasl_frame {
    wasl_frame_kind kind;
    uint64_t delivery_tag;
    bool multiple;
    bool redelivered;
    uint16_t code;
    amqp_bytes_t text;
    amqp_bytes_t exchange;
    amqp_bytes_t routing_key;
    amqp_bytes_t consumer_tag;
    uint64_t body_size;
    amqp_basic_properties_t *properties;
    amqp_bytes_t fragment;
} wasl_frame;

/// Reads one frame. Returns an `amqp_status_enum` value; `AMQP_STATUS_TIMEOUT` when none came in time.
int wasl_next_frame(amqp_connection_state_t connection, long timeout_microseconds, wasl_frame *frame);

/// Logs in. `external` uses SASL EXTERNAL (the certificate names the user). Declares `connection.blocked` and `consumer_cancel_notify`.
amqp_rpc_reply_t wasl_login(
    amqp_connection_state_t connection, const char *virtual_host, int heartbeat_seconds, bool external,
    const char *user, const char *password, const char *connection_name);

/// Publishes persistently; negative is an `amqp_status_enum` error.
int wasl_publish(
    amqp_connection_state_t connection, const char *exchange, const char *routing_key, bool mandatory,
    const char *message_id, const char *user_id, const char *content_type, uint64_t timestamp,
    const char *header_name_1, const char *header_value_1, const char *header_name_2, const char *header_value_2,
    const void *body, size_t body_length);

/// A property's value, or an empty range where the message has none: only a field whose flag is set was ever written.
amqp_bytes_t wasl_message_id(const amqp_basic_properties_t *properties);
amqp_bytes_t wasl_user_id(const amqp_basic_properties_t *properties);
amqp_bytes_t wasl_content_type(const amqp_basic_properties_t *properties);

/// A text header's value, or an empty range.
amqp_bytes_t wasl_header(const amqp_basic_properties_t *properties, const char *name);

/// The number and text with which the peer closed, from a failed RPC; 0 when it was a library error.
uint16_t wasl_reply_code(amqp_rpc_reply_t reply);
amqp_bytes_t wasl_reply_text(amqp_rpc_reply_t reply);

/// `basic.consume`; the consumer is tagged with the queue's name, so that each delivery says where it came from.
amqp_rpc_reply_t wasl_consume(amqp_connection_state_t connection, const char *queue);

void wasl_name_thread(const char *name);

/// An eventfd, which the Swift overlay does not show: a descriptor on which one thread wakes another. -1 when none is left.
int wasl_wake_open(void);
void wasl_wake_signal(int descriptor);
void wasl_wake_clear(int descriptor);

#endif
