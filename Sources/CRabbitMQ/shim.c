#define _GNU_SOURCE
#include "CRabbitMQ.h"
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>

static wasl_frame_kind kind_of(const amqp_frame_t *frame) {
    if (frame->frame_type == AMQP_FRAME_HEADER) return WASL_FRAME_HEADER;
    if (frame->frame_type == AMQP_FRAME_BODY) return WASL_FRAME_BODY;
    if (frame->frame_type != AMQP_FRAME_METHOD) return WASL_FRAME_OTHER;
    switch (frame->payload.method.id) {
        case AMQP_BASIC_ACK_METHOD: return WASL_FRAME_ACK;
        case AMQP_BASIC_NACK_METHOD: return WASL_FRAME_NACK;
        case AMQP_BASIC_RETURN_METHOD: return WASL_FRAME_RETURN;
        case AMQP_BASIC_DELIVER_METHOD: return WASL_FRAME_DELIVER;
        case AMQP_BASIC_CANCEL_METHOD: return WASL_FRAME_CANCEL;
        case AMQP_CONNECTION_BLOCKED_METHOD: return WASL_FRAME_BLOCKED;
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return WASL_FRAME_UNBLOCKED;
        case AMQP_CHANNEL_CLOSE_METHOD: return WASL_FRAME_CHANNEL_CLOSE;
        case AMQP_CONNECTION_CLOSE_METHOD: return WASL_FRAME_CONNECTION_CLOSE;
        default: return WASL_FRAME_OTHER;
    }
}

static void flatten(const amqp_frame_t *frame, wasl_frame *out) {
    memset(out, 0, sizeof *out);
    out->kind = kind_of(frame);
    void *decoded = frame->payload.method.decoded;
    switch (out->kind) {
        case WASL_FRAME_ACK: {
            const amqp_basic_ack_t *ack = decoded;
            out->delivery_tag = ack->delivery_tag;
            out->multiple = ack->multiple;
            break;
        }
        case WASL_FRAME_NACK: {
            const amqp_basic_nack_t *nack = decoded;
            out->delivery_tag = nack->delivery_tag;
            out->multiple = nack->multiple;
            break;
        }
        case WASL_FRAME_RETURN: {
            const amqp_basic_return_t *returned = decoded;
            out->code = returned->reply_code;
            out->text = returned->reply_text;
            out->exchange = returned->exchange;
            out->routing_key = returned->routing_key;
            break;
        }
        case WASL_FRAME_DELIVER: {
            const amqp_basic_deliver_t *delivery = decoded;
            out->delivery_tag = delivery->delivery_tag;
            out->redelivered = delivery->redelivered;
            out->exchange = delivery->exchange;
            out->routing_key = delivery->routing_key;
            out->consumer_tag = delivery->consumer_tag;
            break;
        }
        case WASL_FRAME_BLOCKED: {
            const amqp_connection_blocked_t *blocked = decoded;
            out->text = blocked->reason;
            break;
        }
        case WASL_FRAME_CHANNEL_CLOSE: {
            const amqp_channel_close_t *closed = decoded;
            out->code = closed->reply_code;
            out->text = closed->reply_text;
            break;
        }
        case WASL_FRAME_CONNECTION_CLOSE: {
            const amqp_connection_close_t *closed = decoded;
            out->code = closed->reply_code;
            out->text = closed->reply_text;
            break;
        }
        case WASL_FRAME_HEADER:
            out->body_size = frame->payload.properties.body_size;
            out->properties = frame->payload.properties.decoded;
            break;
        case WASL_FRAME_BODY:
            out->fragment = frame->payload.body_fragment;
            break;
        default:
            break;
    }
}

int wasl_next_frame(amqp_connection_state_t connection, long timeout_microseconds, wasl_frame *out) {
    amqp_frame_t frame;
    struct timeval timeout = {timeout_microseconds / 1000000, timeout_microseconds % 1000000};
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
    if (status == AMQP_STATUS_OK) flatten(&frame, out);
    return status;
}

static amqp_table_entry_t truth(const char *key) {
    amqp_table_entry_t entry;
    entry.key = amqp_cstring_bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}

static amqp_table_entry_t text(const char *key, const char *value) {
    amqp_table_entry_t entry;
    entry.key = amqp_cstring_bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

amqp_rpc_reply_t wasl_login(
    amqp_connection_state_t connection, const char *virtual_host, int heartbeat_seconds, bool external,
    const char *user, const char *password, const char *connection_name) {
    amqp_table_entry_t capabilities[3] = {
        truth("connection.blocked"), truth("consumer_cancel_notify"), truth("publisher_confirms")};
    amqp_table_entry_t properties[2];
    properties[0].key = amqp_cstring_bytes("capabilities");
    properties[0].value.kind = AMQP_FIELD_KIND_TABLE;
    properties[0].value.value.table.num_entries = 3;
    properties[0].value.value.table.entries = capabilities;
    properties[1] = text("connection_name", connection_name);
    amqp_table_t table = {2, properties};
    if (external)
        return amqp_login_with_properties(
            connection, virtual_host, 0, 131072, heartbeat_seconds, &table, AMQP_SASL_METHOD_EXTERNAL, user);
    return amqp_login_with_properties(
        connection, virtual_host, 0, 131072, heartbeat_seconds, &table, AMQP_SASL_METHOD_PLAIN, user, password);
}

int wasl_publish(
    amqp_connection_state_t connection, const char *exchange, const char *routing_key, bool mandatory,
    const char *message_id, const char *user_id, const char *content_type, uint64_t timestamp,
    const char *header_name_1, const char *header_value_1, const char *header_name_2, const char *header_value_2,
    const void *body, size_t body_length) {
    amqp_basic_properties_t properties;
    memset(&properties, 0, sizeof properties);
    amqp_table_entry_t headers[2];
    int count = 0;
    if (header_name_1) headers[count++] = text(header_name_1, header_value_1);
    if (header_name_2) headers[count++] = text(header_name_2, header_value_2);
    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                        AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties.content_type = amqp_cstring_bytes(content_type);
    properties.delivery_mode = 2;
    properties.message_id = amqp_cstring_bytes(message_id);
    properties.timestamp = timestamp;
    properties.headers.num_entries = count;
    properties.headers.entries = headers;
    if (user_id) {
        properties._flags |= AMQP_BASIC_USER_ID_FLAG;
        properties.user_id = amqp_cstring_bytes(user_id);
    }
    amqp_bytes_t bytes = {body_length, (void *)body};
    return amqp_basic_publish(
        connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(routing_key), mandatory, 0, &properties, bytes);
}

amqp_bytes_t wasl_message_id(const amqp_basic_properties_t *properties) {
    return properties && (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) ? properties->message_id : amqp_empty_bytes;
}

amqp_bytes_t wasl_user_id(const amqp_basic_properties_t *properties) {
    return properties && (properties->_flags & AMQP_BASIC_USER_ID_FLAG) ? properties->user_id : amqp_empty_bytes;
}

amqp_bytes_t wasl_content_type(const amqp_basic_properties_t *properties) {
    return properties && (properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) ? properties->content_type : amqp_empty_bytes;
}

amqp_bytes_t wasl_header(const amqp_basic_properties_t *properties, const char *name) {
    if (properties && (properties->_flags & AMQP_BASIC_HEADERS_FLAG)) {
        size_t length = strlen(name);
        for (int i = 0; i < properties->headers.num_entries; i++) {
            const amqp_table_entry_t *entry = &properties->headers.entries[i];
            bool textual = entry->value.kind == AMQP_FIELD_KIND_UTF8 || entry->value.kind == AMQP_FIELD_KIND_BYTES;
            if (textual && entry->key.len == length && memcmp(entry->key.bytes, name, length) == 0)
                return entry->value.value.bytes;
        }
    }
    return amqp_empty_bytes;
}

uint16_t wasl_reply_code(amqp_rpc_reply_t reply) {
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || !reply.reply.decoded) return 0;
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) return ((amqp_connection_close_t *)reply.reply.decoded)->reply_code;
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) return ((amqp_channel_close_t *)reply.reply.decoded)->reply_code;
    return 0;
}

amqp_bytes_t wasl_reply_text(amqp_rpc_reply_t reply) {
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || !reply.reply.decoded) return amqp_empty_bytes;
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) return ((amqp_connection_close_t *)reply.reply.decoded)->reply_text;
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) return ((amqp_channel_close_t *)reply.reply.decoded)->reply_text;
    return amqp_empty_bytes;
}

amqp_rpc_reply_t wasl_consume(amqp_connection_state_t connection, const char *queue) {
    amqp_basic_consume(
        connection, 1, amqp_cstring_bytes(queue), amqp_cstring_bytes(queue), 0, 0, 0, amqp_empty_table);
    return amqp_get_rpc_reply(connection);
}

void wasl_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int wasl_wake_open(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
void wasl_wake_signal(int descriptor) { eventfd_write(descriptor, 1); }
void wasl_wake_clear(int descriptor) {
    eventfd_t value;
    eventfd_read(descriptor, &value);
}
